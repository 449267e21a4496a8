"""What an answer holds is what was asked for: some fields, more along with it, or a refusal."""

import pytest
from assent_common import ids
from assent_common.events.registry import Kind

from tests.catalog.world import ENDPOINT, MODEL, URN, World, a_deployment, a_model, a_monitor, a_version, gone


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/v1/model-versions", "urn,status"),
        (f"/v1/model-versions/{ids.of_urn(URN)}", "urn,metrics,raw"),
        ("/v1/models", "name"),
        (f"/v1/models/{ids.of_urn(MODEL)}", "name,versions"),
        (f"/v1/models/{ids.of_urn(MODEL)}/versions", "id"),
        ("/v1/deployments", "urn,model_version_status"),
        (f"/v1/deployments/{ids.of_urn(ENDPOINT)}", "monitors"),
        ("/v1/monitors", "name,deployments"),
        ("/v1/use-cases", "key,complete"),
        ("/v1/use-cases/retention", "key, facets"),
        ("/v1/datasets", "urn"),
        ("/v1/rankings?by=accuracy&order=highest", "value"),
    ],
)
async def test_only_the_fields_that_were_asked_for_come(world: World, path: str, fields: str) -> None:
    await world.create_use_case("retention", facets={"data": {"datasets": ["s3://data/churn"]}})
    await world.hears(a_model(), a_version(), a_deployment(monitors=[a_monitor()]))
    separator = "&" if "?" in path else "?"
    whole = await world.ask("GET", path)
    answer = await world.ask("GET", f"{path}{separator}fields={fields}")
    assert answer.status_code == 200, answer.text
    items, wholes = (each.get("items", [each]) for each in (answer.json(), whole.json()))
    names = {name.strip() for name in fields.split(",")}
    assert items == [{name: value for name, value in item.items() if name in names} for item in wholes]
    assert [set(item) for item in items] == [names]
    assert answer.headers.get("etag") == whole.headers.get("etag")

    refused = await world.ask("GET", f"{path}{separator}fields=id,nonsense")
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, "?fields")


async def test_what_is_misspelt_is_refused(world: World) -> None:
    for path in ("/v1/model-versions?statuss=accepted", "/v1/models?expand=version", "/v1/use-cases?Q=x"):
        assert (await world.ask("GET", path)).status_code == 400, path


async def test_a_model_comes_with_its_latest_versions_and_what_was_measured(world: World) -> None:
    urns = [f"{URN[:-1]}{n}" for n in range(1, 26)]
    await world.hears(a_model(), *(a_version(urn, version=n, accuracy=n / 100) for n, urn in enumerate(urns, 1)))
    await world.hears(gone(urns[-1]))
    plain = await world.get("/v1/models")
    assert (plain["items"][0]["latest_versions"], plain["items"][0]["latest_metrics"]) == (None, None)

    listed = (await world.get("/v1/models", expand="versions,metrics"))["items"][0]
    read = await world.get(f"/v1/models/{ids.of_urn(MODEL)}", expand="metrics,versions")

    assert listed == read
    assert [version["version"] for version in read["latest_versions"]] == list(range(24, 4, -1))
    assert read["latest_metrics"]["accuracy"]["value"] == 0.24
    assert (await world.get("/v1/models", expand="metrics"))["items"][0]["latest_versions"] is None


async def test_a_monitor_is_a_record_of_its_own(world: World) -> None:
    other = ENDPOINT.replace("#main", "#shadow")
    bias = a_monitor("churn-bias", type="ModelBias", last_execution_status="Completed")
    await world.hears(
        a_deployment(monitors=[a_monitor(), bias]), a_deployment(other, variant="shadow", monitors=[a_monitor()])
    )
    monitors = await world.everything("/v1/monitors", limit=1)
    assert [(m["name"], m["deployments"]) for m in monitors] == [
        ("churn-bias", [ENDPOINT]),
        ("churn-quality", [ENDPOINT, other]),
    ]
    assert await world.get(f"/v1/monitors/{monitors[1]['urn']}") == monitors[1]
    violated = await world.get("/v1/monitors", last_execution_status="CompletedWithViolations")
    assert violated["items"] == [monitors[1]]
    assert (await world.get("/v1/monitors", deployment=other))["items"] == [monitors[1]]

    await world.hears(gone(ENDPOINT, Kind.DEPLOYMENT), a_deployment(other, variant="shadow"))
    assert (await world.get("/v1/monitors"))["items"] == []
    assert (await world.ask("GET", f"/v1/monitors/{monitors[1]['urn']}")).status_code == 404
