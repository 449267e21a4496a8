"""What the catalogue answers of model versions, models and deployments."""

import random
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from assent_common import ids
from assent_common.events.governance import CandidacyStatus
from assent_common.events.registry import Kind, Metric

from tests.catalog.world import (
    ACCOUNT,
    ENDPOINT,
    MADE_AT,
    MODEL,
    URN,
    World,
    a_candidacy,
    a_deployment,
    a_model,
    a_version,
    gone,
)

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


async def test_what_is_not_known_yet_may_come(world: World) -> None:
    for path in ("model-versions", "models"):
        answer = await world.ask("GET", f"/v1/{path}/{ids.of_urn(URN)}")
        assert answer.status_code == 404
        assert answer.headers["retry-after"] == "1"


FOUND_BY: list[tuple[dict[str, Any], set[int]]] = [
    ({}, {1, 2, 3, 4}),
    ({"q": "churn-xgb"}, {1, 2}),
    ({"q": "xg"}, {1, 2}),
    ({"q": "CHURN linear"}, {3}),
    ({"q": "October"}, {4}),
    ({"q": "nothing"}, set()),
    ({"q": "--"}, set()),
    ({"urn": f"{URN}2"}, {2}),
    ({"source": "test-us"}, {4}),
    ({"source": ["test-us", "prod-eu"]}, {1, 2, 3, 4}),
    ({"type": "regression"}, {3}),
    ({"framework": ["SKLEARN", "PYTORCH"]}, {3, 4}),
    ({"status": "candidate"}, {1}),
    ({"status": ["candidate", "missing_from_source"]}, {1, 2}),
    ({"use_case": "retention"}, {1}),
    ({"model": MODEL}, {1, 2, 3}),
    ({"model": str(ids.of_urn(MODEL))}, {1, 2, 3}),
    ({"metric": "accuracy>=0.9"}, {2, 3}),
    ({"metric": "accuracy > 0.9"}, {3}),
    ({"metric": ["accuracy>=0.5", "precision<0.5"]}, {1}),
    ({"metric": "accuracy=0.5", "type": "regression"}, set()),
]


@pytest.fixture
async def four(world: World) -> World:
    """Four versions that differ."""
    await world.hears(
        a_version(f"{URN}1", name="churn-xgb", version=1, metrics=_metrics(accuracy=0.5, precision=0.4)),
        a_version(f"{URN}2", name="churn-xgb", version=2, accuracy=0.9),
        a_version(f"{URN}3", name="churn_linear", version=3, type="regression", framework="SKLEARN", accuracy=0.95),
        a_version(
            f"{URN}4",
            name="fraud",
            version=4,
            source="test-us",
            model=None,
            framework="PYTORCH",
            accuracy=None,
            description="The October campaign",
        ),
        a_candidacy(urn=f"{URN}1"),
        gone(f"{URN}2"),
    )
    return world


def _metrics(**values: float) -> dict[str, Metric]:
    return {name: Metric(value=value) for name, value in values.items()}


@pytest.mark.parametrize(("filters", "expected"), FOUND_BY)
async def test_versions_are_found_by_what_they_are(four: World, filters: dict[str, Any], expected: set[int]) -> None:
    found = await four.everything("/v1/model-versions", **filters)
    assert {version["version"] for version in found} == expected
    assert len(found) == len(expected)


@pytest.mark.parametrize(
    "filters",
    [
        {"metric": "accuracy"},
        {"metric": "accuracy>=high"},
        {"metric": "accuracy>=1e999"},
        {"metric": "accuracy>=0.9 or true"},
        {"metric": "a';drop table metrics;-->=1"},
        {"facets": "colour"},
        {"colour": "red"},
    ],
)
async def test_what_cannot_be_understood_is_refused_by_name(four: World, filters: dict[str, Any]) -> None:
    refused = await four.ask("GET", "/v1/model-versions", params=filters)
    assert refused.status_code == 400, refused.text
    assert [fault["pointer"] for fault in refused.json()["errors"]] == [f"?{next(iter(filters))}"]


async def test_a_status_that_there_is_not_is_refused(four: World) -> None:
    assert (await four.ask("GET", "/v1/model-versions", params={"status": "acceptd"})).status_code == 422


async def test_facets_count_the_whole_selection(four: World) -> None:
    page = await four.get("/v1/model-versions", limit=1, facets="status,type,source,framework")
    assert len(page["items"]) == 1
    assert page["facets"]["source"] == {"prod-eu": 3, "test-us": 1}
    assert page["facets"]["status"] == {"registered": 2, "candidate": 1, "missing_from_source": 1}
    narrowed = await four.get("/v1/model-versions", type="regression", facets="framework")
    assert narrowed["facets"] == {"framework": {"SKLEARN": 1}}


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
@pytest.mark.parametrize(
    "sort",
    ["created_at", "-created_at", "modified_at", "-modified_at", "name", "-name", "version", "-version"],
)
async def test_pages_hold_each_version_once_and_in_order(world: World, sort: str, limit: int) -> None:
    chance = random.Random(sort)
    for n in range(12):
        made_at = MADE_AT + timedelta(hours=chance.randrange(3))
        changed_at = chance.choice([None, made_at + timedelta(hours=chance.randrange(3))])
        name, number = f"model-{chance.randrange(3)}", chance.choice([None, n % 4])
        await world.hears(a_version(f"{URN}{n}", created_at=made_at, modified_at=changed_at, name=name, version=number))

    found = await world.everything("/v1/model-versions", sort=sort, limit=limit)

    assert len({version["urn"] for version in found}) == len(found) == 12
    keys = [_sort_key(sort.removeprefix("-"), version) for version in found]
    assert keys == sorted(keys, reverse=sort.startswith("-"))


def _sort_key(column: str, version: dict[str, Any]) -> Any:
    fallback = {"modified_at": version["created_at"], "version": 0}
    return version[column] if version[column] is not None else fallback[column]


async def test_a_cursor_of_another_selection_is_refused(four: World) -> None:
    cursor = (await four.get("/v1/model-versions", limit=1))["next_cursor"]
    refused = await four.ask("GET", "/v1/model-versions", params={"limit": 1, "cursor": cursor, "type": "regression"})
    assert refused.status_code == 400


async def test_a_list_that_was_listed_before_shows_what_changed_since(world: World) -> None:
    other = f"{ACCOUNT}:model-package/customer-churn/8"

    async def listed() -> dict[str, tuple[str, str | None]]:
        items = (await world.get("/v1/model-versions"))["items"]
        assert len(items) == 2
        return {item["urn"]: (item["status"], item["description"]) for item in items}

    await world.hears(a_version(), a_version(other))
    assert await listed() == await listed() == {URN: ("registered", None), other: ("registered", None)}
    await world.hears(a_candidacy())
    assert await listed() == {URN: ("candidate", None), other: ("registered", None)}
    await world.hears(a_version(description="trained anew"), gone(other))
    assert await listed() == {URN: ("candidate", "trained anew"), other: ("missing_from_source", None)}
    # The table is filled anew, as after a restore: the versions have the numbers of their first states again.
    async with world.database.connection() as connection:
        await connection.execute("update model_versions set changed_sequence = 1, status = 'accepted'")
    assert {status for status, _ in (await listed()).values()} == {"accepted"}


async def test_a_version_is_read_as_it_was_known_at_a_moment(world: World) -> None:
    day = timedelta(days=1)
    at = world.clock.now()
    await world.hears(a_version(accuracy=0.91))
    world.clock.advance(day)
    await world.hears(a_candidacy(CandidacyStatus.ACCEPTED, changed_at=at + day))
    world.clock.advance(day)
    await world.hears(a_version(accuracy=0.5), a_candidacy(CandidacyStatus.SUSPENDED, changed_at=at + 2 * day))
    world.clock.advance(day)
    await world.hears(gone())

    async def as_of(days: float) -> tuple[str, float]:
        version = await world.version(as_of=(at + days * day).isoformat())
        return version["status"], version["metrics"]["accuracy"]["value"]

    assert await as_of(0.5) == ("registered", 0.91)
    assert await as_of(1.5) == ("accepted", 0.91)
    assert await as_of(2.5) == ("suspended", 0.5)
    assert await as_of(3.5) == ("missing_from_source", 0.5)
    before = (at - day).isoformat()
    early = await world.ask("GET", f"/v1/model-versions/{ids.of_urn(URN)}", params={"as_of": before})
    assert early.status_code == 404
    naive = await world.ask("GET", f"/v1/model-versions/{ids.of_urn(URN)}", params={"as_of": "2026-11-01T00:00:00"})
    assert naive.status_code == 422


async def test_history_tells_each_state_with_what_changed(world: World) -> None:
    await world.hears(a_version(accuracy=0.91), a_candidacy())
    world.clock.advance(timedelta(days=2))
    await world.hears(a_version(accuracy=0.5))

    path = f"/v1/model-versions/{ids.of_urn(URN)}/history"
    history = await world.everything(path, limit=1)

    assert sorted(entry["kind"] for entry in history) == ["candidacy", "observed", "observed"]
    observed = [entry for entry in history if entry["kind"] == "observed"]
    assert {"part": "metrics.accuracy.value", "before": 0.91, "after": 0.5} in observed[0]["changes"]
    until_then = await world.everything(path, as_of=(world.clock.now() - timedelta(days=1)).isoformat())
    assert [entry["kind"] for entry in until_then].count("observed") == 1


async def test_models_list_their_versions_the_latest_first(world: World) -> None:
    await world.hears(a_model(), *(a_version(f"{URN}{n}", version=n) for n in range(5)), gone(f"{URN}4"))
    models = (await world.get("/v1/models"))["items"]
    assert [(model["urn"], model["versions"]) for model in models] == [(MODEL, 4)]
    for name in (models[0]["id"], quote(MODEL, safe="")):
        versions = await world.everything(f"/v1/models/{name}/versions", limit=2)
        assert [version["version"] for version in versions] == [4, 3, 2, 1, 0]
    assert (await world.get("/v1/models", q="churn"))["items"] == models
    assert (await world.get("/v1/models", q="fraud"))["items"] == []


async def test_deployments_are_what_serves_now(world: World) -> None:
    await world.hears(a_version(), a_deployment(), a_deployment(f"{ACCOUNT}:endpoint/old#main"))
    assert len(await world.everything("/v1/deployments", limit=1)) == 2
    await world.hears(gone(f"{ACCOUNT}:endpoint/old#main", Kind.DEPLOYMENT))
    assert [deployment["urn"] for deployment in await world.everything("/v1/deployments")] == [ENDPOINT]
    assert len(await world.everything("/v1/deployments", model_version=URN)) == 1
    assert (await world.version())["deployments"][0]["urn"] == ENDPOINT
