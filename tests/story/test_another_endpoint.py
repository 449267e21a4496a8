"""Pointed at anything that speaks SageMaker's API, Assent reads it whole."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from aiobotocore.session import get_session
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


@asynccontextmanager
async def client(url: str) -> AsyncIterator[Any]:
    async with get_session().create_client(
        *("sagemaker", "eu-central-1"), endpoint_url=url, aws_access_key_id="test", aws_secret_access_key="test"
    ) as sagemaker:
        yield sagemaker


def as_json(value: Any) -> Any:
    """What botocore made of an answer, as JSON has it."""
    match value:
        case dict():
            return {key: as_json(item) for key, item in value.items()}
        case list():
            return [as_json(item) for item in value]
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value


def assert_told_whole(described: dict[str, Any], record: dict[str, Any]) -> None:
    """Every field that SageMaker gives is there as it gave it, and under the name that Assent has for it."""
    del described["ResponseMetadata"]
    document = as_json(described)
    assert {name: value for name, value in record["raw"].items() if name != "Tags"} == document
    for field, member in FIELDS.items():
        assert record[field] == document.get(member), (field, record["urn"])
    assert record["properties"] == document.get("CustomerMetadataProperties", {})
    assert datetime.fromisoformat(record["created_at"]) == described["CreationTime"]
    assert (record["modified_at"] is None) == ("LastModifiedTime" not in described)
    who = [by.get("IamIdentity", {}).get("Arn") for by in (described.get("CreatedBy", {}),)]
    assert who == [record["created_by"]]
    containers = described.get("InferenceSpecification", {}).get("Containers", [])
    places = [container["ModelDataUrl"] for container in containers if container.get("ModelDataUrl")]
    assert [artifact["uri"] for artifact in record["artifacts"]][: len(places)] == places
    assert record["image"] == next((container["Image"] for container in containers if container.get("Image")), None)
    cycle = described.get("ModelLifeCycle")
    told = record["life_cycle"]
    assert (told and (told["stage"], told["status"])) == (cycle and (cycle["Stage"], cycle["StageStatus"]))
    named = {leaf["S3Uri"] for leaf in leaves(described.get("ModelMetrics", {}))}
    named |= {leaf["S3Uri"] for leaf in leaves(described.get("DriftCheckBaselines", {}))}
    assert {report["uri"] for report in record["reports"]} == named


def leaves(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "S3Uri" in node:
        yield node
    else:
        for inner in node.values():
            yield from leaves(inner)


#: Told as they are.
FIELDS = {
    "urn": "ModelPackageArn",
    "version": "ModelPackageVersion",
    "description": "ModelPackageDescription",
    "source_status": "ModelPackageStatus",
    "source_approval_status": "ModelApprovalStatus",
    "source_approval_description": "ApprovalDescription",
    "registration_type": "ModelPackageRegistrationType",
    "source_uri": "SourceUri",
    "domain": "Domain",
    "task": "Task",
}


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
        by_arn = {version["urn"]: version for version in versions}
        async with client(sagemaker.url) as aws:
            listed = [
                summary["ModelPackageArn"]
                async for page in aws.get_paginator("list_model_packages").paginate(ModelPackageType="Both")
                for summary in page["ModelPackageSummaryList"]
            ]
            assert set(listed) == set(by_arn)
            odd = [arn for arn in listed if "/seeded-" not in arn]
            assert len(odd) > 30
            for arn in [*odd, *listed[:: len(listed) // 40]]:
                record = await assent.get("catalog-api", f"/v1/model-versions/{by_arn[arn]['id']}")
                assert set(record) >= PINNED
                assert_told_whole(await aws.describe_model_package(ModelPackageName=arn), record)
        measured = [version for version in versions if version["metrics_status"] == "complete"]
        assert len(measured) > 900
        assert all(version["metrics"] for version in measured if version["name"].startswith("seeded-"))
