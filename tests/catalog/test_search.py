"""One box for everything that has a name."""

from datetime import datetime
from typing import Any

import pytest
from assent_catalog import search

from tests.catalog.test_lineage import TRAINED, USAGE
from tests.catalog.world import ACCOUNT, ENDPOINT, MODEL, URN, World, a_candidacy, a_deployment, a_model, a_version


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
    counted_at = page["total"].pop("counted_at")
    assert datetime.fromisoformat(counted_at) == known.clock.now()
    assert page["total"] == {"value": 1, "relation": "exactly"}
    assert page["facets"] == {"status": {"candidate": 1}, "framework": {"XGBOOST": 1}}
    none = await known.get("/v1/model-versions", facets="status", framework="NONE")
    assert (none["total"]["value"], none["facets"]) == (0, {"status": {}})


@pytest.mark.parametrize("q", ["xgb", "XGB", "gb2", "churn", "churnxgb2", "2", "forest", "random", "v11", "11", "nxgb"])
async def test_parts_within_a_word_of_a_name_are_found_on_any_postgres(world: World, q: str) -> None:
    await world.hears(
        a_version(name="churnxgb2RandomForest_v11", framework="SKLEARN"),
        a_version(f"{ACCOUNT}:model-package/other/8", name="other", version=8, framework="SKLEARN"),
    )
    assert [v["urn"] for v in await world.everything("/v1/model-versions", q=q)] == [URN]
    assert await found(world, q, kind="model_version") == [f"model_version {URN}"]


async def test_what_follows_a_hyphen_in_a_description_is_a_word(world: World) -> None:
    await world.hears(a_version(description="Candidate of team-7"))
    for q in ("team-7", "team 7", "7 team", "candidate-of"):
        assert [v["urn"] for v in await world.everything("/v1/model-versions", q=q)] == [URN], q
    assert await world.everything("/v1/model-versions", q="team-70") == []


async def test_rare_words_beside_common_ones_find_the_same(world: World) -> None:
    """Once the statistics tell them apart."""
    urns = [URN.replace("/7", f"/{number}") for number in range(100, 220)]
    await world.hears(
        *(a_version(urn, name=f"w{n}z", version=n) for n, urn in enumerate(urns)), a_candidacy(urn=urns[5])
    )
    await world.create_use_case("retention", name="Sagemaker w7z")
    async with world.database.connection() as connection:
        await connection.execute("analyze model_versions")
        common = [row["word"] for row in await connection.fetch(search.COMMON, search.BROAD)]
        assert "sagemaker" in common
        assert "w77z" not in common
    for q in ("sagemaker w77z", "w77z sage", "eu-central w77z"):
        assert [v["urn"] for v in await world.everything("/v1/model-versions", q=q)] == [urns[77]], q
    # By its name, and by that of its use case.
    by_words = await world.everything("/v1/model-versions", q="sagemaker w7z")
    assert sorted(v["urn"] for v in by_words) == sorted([urns[5], urns[7]])
    assert len(await world.everything("/v1/model-versions", q="sagemaker")) == 120


async def test_what_changed_is_counted_at_once(world: World) -> None:
    for number in range(1, 4):
        await world.hears(a_version(URN.replace("/7", f"/{number}"), version=number))
        for asked in ({"q": "churn"}, {}, {"framework": "XGBOOST"}):
            assert (await world.get("/v1/model-versions", facets="status", **asked))["total"]["value"] == number
        assert (await world.get("/v1/search", q="churn"))["counts"]["model_version"]["value"] == number
