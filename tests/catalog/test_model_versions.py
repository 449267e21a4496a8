"""What the catalogue answers of model versions."""

from urllib.parse import quote

import pytest
from assent_common import ids
from assent_common.events.registry import Metric

from tests.catalog.world import ENDPOINT, URN, World, a_candidacy, a_deployment, a_model, a_version

NAMED_BY_THE_DESIGN = {
    *("id", "urn", "source", "model", "name", "version", "description", "type", "framework", "algorithm", "metrics"),
    *("source_status", "source_approval_status", "life_cycle", "artifacts", "image", "training_job", "tags"),
    *("properties", "created_at", "created_by", "modified_at", "content_hash", "metrics_status", "status"),
    *("candidacies", "deployments", "raw"),
}


async def test_a_version_that_was_observed_is_answered_with_whole(world: World) -> None:
    precision = Metric(value=0.87, standard_deviation=0.01, dataset="test", source_name="weighted_precision")
    await world.hears(
        a_model(),
        a_version(metrics={"precision": precision}, description="October campaign"),
        a_deployment(),
        a_candidacy(),
    )

    version = await world.version()

    assert set(version) >= NAMED_BY_THE_DESIGN
    assert version["id"] == str(ids.of_urn(URN))
    assert version["description"] == "October campaign"
    assert version["metrics"]["precision"]["value"] == 0.87
    assert version["metrics"]["precision"]["dataset"] == "test"
    assert version["status"] == "candidate"
    assert [candidacy["use_case"] for candidacy in version["candidacies"]] == ["retention"]
    assert [deployment["urn"] for deployment in version["deployments"]] == [ENDPOINT]
    assert version["raw"] == {"ModelPackageArn": URN}


@pytest.mark.parametrize("name", [str(ids.of_urn(URN)), quote(URN, safe="")])
async def test_a_version_is_read_by_its_id_or_its_encoded_urn(world: World, name: str) -> None:
    await world.hears(a_version())
    assert (await world.get(f"/v1/model-versions/{name}"))["urn"] == URN
    assert len((await world.get(f"/v1/model-versions/{name}/history"))["items"]) == 1
