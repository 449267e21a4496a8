"""One box for everything that has a name."""

from typing import Any

import pytest

from tests.catalog.test_lineage import TRAINED, USAGE
from tests.catalog.world import ENDPOINT, MODEL, URN, World, a_candidacy, a_deployment, a_model, a_version


@pytest.fixture
async def known(world: World) -> World:
    await world.create_use_case("customer-retention", name="Keep customers", description="Churn is dear")
    await world.create_use_case("invoices", name="Read invoices")
    await world.hears(
        a_model(name="customer-churn-xgb_v2"),
        a_version(name="customer-churn-xgb_v2", tags={"team": "Growth"}, **TRAINED),
        a_deployment(),
        a_candidacy(use_case="customer-retention"),
    )
    return world


async def found(world: World, q: str, **params: Any) -> list[str]:
    return [f"{each['kind']} {each['urn']}" for each in await world.everything("/v1/search", q=q, limit=1, **params)]


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("churn", ["use_case customer-retention", f"model {MODEL}", f"model_version {URN}", f"deployment {ENDPOINT}"]),
        ("XGB-v2", [f"model {MODEL}", f"model_version {URN}"]),
        ("growth", [f"model_version {URN}"]),
        ("keep", ["use_case customer-retention", f"model_version {URN}"]),
        ("inv", ["use_case invoices"]),
        ("usage", [f"dataset {USAGE}"]),
        ("live main", [f"deployment {ENDPOINT}"]),
        ("nothing", []),
        ("&|!:*'", []),
    ],
)
async def test_words_and_parts_of_names_are_found_wherever_they_are(known: World, q: str, expected: list[str]) -> None:
    hits = await found(known, q)
    assert [hit for hit in hits if hit in expected] == expected
    assert all(hit.startswith("dataset") for hit in hits if hit not in expected)


async def test_what_is_found_says_where_to_read_it_and_how_much_there_is(known: World) -> None:
    answer = await known.get("/v1/search", q="churn", kind="model_version")
    assert {kind: count["value"] for kind, count in answer["counts"].items() if kind != "dataset"} == {
        "use_case": 1,
        "model": 1,
        "model_version": 1,
        "deployment": 1,
    }
    [version] = answer["items"]
    assert (await known.get(version["href"]))["urn"] == URN
    assert version["status"] == "candidate"


async def test_a_version_is_listed_by_the_words_of_its_use_case_too(known: World) -> None:
    assert [v["urn"] for v in await known.everything("/v1/model-versions", q="keep customers")] == [URN]
    assert await known.everything("/v1/model-versions", q="invoices") == []


async def test_pages_stay_as_they_are_while_more_arrives(world: World) -> None:
    urns = [URN.replace("/7", f"/{number}") for number in range(10, 16)]
    await world.hears(*(a_version(urn, version=n) for n, urn in enumerate(urns[:5])))
    first = await world.get("/v1/search", q="churn", kind="model_version", limit=2)
    await world.hears(a_version(urns[5], version=15))
    rest = await world.get("/v1/search", q="churn", kind="model_version", limit=200, cursor=first["next_cursor"])
    seen = [each["urn"] for each in first["items"] + rest["items"]]
    assert len(seen) == len(set(seen))
    assert set(urns[:5]) <= set(seen)


async def test_facets_say_how_many_there_are_in_all(known: World) -> None:
    page = await known.get("/v1/model-versions", facets="status,framework")
    assert page["total"] == {"value": 1, "relation": "exactly"}
    assert page["facets"] == {"status": {"candidate": 1}, "framework": {"XGBOOST": 1}}
    none = await known.get("/v1/model-versions", facets="status", framework="NONE")
    assert (none["total"]["value"], none["facets"]) == (0, {"status": {}})
