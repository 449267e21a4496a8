"""Pointed at anything that speaks SageMaker's API, Assent reads it whole."""

from collections import Counter
from pathlib import Path

import httpx
from assent_local.simulator import running

from tests.story.conftest import StartAssent
from tests.support.wait import until

PINNED = frozenset(
    [
        "id",
        "urn",
        "source",
        "model",
        "version",
        "name",
        "description",
        "type",
        "framework",
        "algorithm",
        "metrics",
        "source_status",
        "source_approval_status",
        "life_cycle",
        "artifacts",
        "image",
        "training_job",
        "tags",
        "properties",
        "created_at",
        "created_by",
        "modified_at",
        "content_hash",
        "metrics_status",
        "status",
        "candidacies",
        "deployments",
        "raw",
    ]
)


async def test_a_thousand_versions_of_another_endpoint_appear_whole_none_missing_none_twice(
    start_assent: StartAssent, kafka: str, topic_prefix: str, tmp_path: Path
) -> None:
    async with running(company=True) as sagemaker:
        seed = {"groups": 10, "versions": 100, "prefix": "seeded", "region": "eu-central-1"}
        async with httpx.AsyncClient(timeout=60) as http:
            assert (await http.post(f"{sagemaker.url}/_simulator/seed", json=seed)).status_code == 200
        assent = await start_assent(
            {
                "AWS_ENDPOINT_URL_SAGEMAKER": sagemaker.url,
                "AWS_ENDPOINT_URL_S3": sagemaker.url,
                "AWS_REGION": "eu-central-1",
                "ASSENT_KAFKA_BOOTSTRAP_SERVERS": kafka,
                "ASSENT_KAFKA_TOPIC_PREFIX": topic_prefix,
            }
        )
        assert "sagemaker" not in assent.urls

        async def whole() -> bool:
            page = await assent.get("catalog-api", "/v1/sources")
            return bool(page["items"] and page["items"][0]["complete"])

        await until(whole, within_s=120)
        versions = await assent.everything("catalog-api", "/v1/model-versions")
        assert {version["source"] for version in versions} == {"default"}
        assert Counter(version["urn"] for version in versions).most_common(1)[0][1] == 1
        assert len([version for version in versions if version["name"].startswith("seeded-")]) == 1000
        for version in versions[:: len(versions) // 40]:
            record = await assent.get("catalog-api", f"/v1/model-versions/{version['id']}")
            assert set(record) >= PINNED
            assert record["raw"]["ModelPackageArn"].casefold() == record["urn"].casefold()
        measured = [version for version in versions if version["metrics_status"] == "complete"]
        assert len(measured) > 900
        assert all(version["metrics"] for version in measured if version["name"].startswith("seeded-"))
