"""Who mistypes is told what he may have meant, where Postgres has pg_trgm."""

import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from assent_catalog.finding import alike
from assent_common import migrations
from assent_local.ports import free_port
from assent_local.postgres import Postgres

from tests.catalog.world import ACCOUNT, World, a_model, a_world
from tests.support.migrating import down_to

NAMES = ("customer-churn-xgb_v2", "fraud-detection", "demand-forecast", "pricing-77", "check-runs", "chatbot")
MANY = """
insert into models (id, urn, source, name, live, created_at, record, sequence)
select gen_random_uuid(), urn || '-' || n, source, name || '-' || n, live, created_at, record, sequence
  from models, generate_series(1, 2000) n
"""


def with_trigrams() -> Path | None:
    """The programs of a Postgres of this machine that has pg_trgm; Debian's, as the wheel's has none."""
    for binaries in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        extensions = Path("/usr/share/postgresql") / binaries.parent.name / "extension"
        if (binaries / "initdb").exists() and (extensions / "pg_trgm.control").exists():
            return binaries
    return None


async def told(world: World) -> None:
    await world.create_use_case("retention", name="Customer retention calls")
    await world.hears(*(a_model(f"{ACCOUNT}:model-package-group/{name}", name=name) for name in NAMES))


async def meant(world: World, q: str, **params: str) -> list[str]:
    names: list[str] = (await world.get("/v1/search", q=q, **params))["did_you_mean"]
    return names


@pytest.fixture(scope="module")
async def postgres(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Postgres]:
    binaries = with_trigrams()
    if binaries is None:
        pytest.skip("needs a Postgres with pg_trgm: apt install postgresql")
    postgres = Postgres(tmp_path_factory.mktemp("postgres"), free_port(), durable=False, binaries=binaries)
    await postgres.start()
    yield postgres
    await postgres.kill()


@pytest.fixture
async def helpful(postgres: Postgres) -> AsyncIterator[World]:
    database = f"catalogue_{secrets.token_hex(4)}"
    await postgres.create_database(database)
    async with a_world(postgres.url(database)) as world:
        await told(world)
        yield world


async def test_who_mistypes_is_told_which_names_are_like_it(helpful: World) -> None:
    for typed, name in {
        "retenton": "Customer retention calls",
        "fruad detection": "fraud-detection",
        "forcast": "demand-forecast",
        "pricng": "pricing-77",
        "custmer-chrun": "customer-churn-xgb_v2",
    }.items():
        first, *_ = await meant(helpful, typed)
        assert first == name, typed
        assert (await helpful.get("/v1/search", q=first))["items"], "what is told is found"
    assert "customer-churn-xgb_v2" in await meant(helpful, "chrun")
    for typed in ("zzzz", "&|!:*'", "%' or true --", "'; drop table models"):
        assert await meant(helpful, typed) == [], typed


async def test_who_found_something_is_told_nothing_else(helpful: World) -> None:
    assert await meant(helpful, "fraud") == []
    # Of another kind, but found.
    assert await meant(helpful, "fraud", kind="deployment") == []


async def test_names_are_found_by_their_index_and_what_is_gone_is_not_meant(helpful: World) -> None:
    async with helpful.database.connection() as connection:
        await connection.execute(MANY)
        await connection.execute("update models set live = false where name like 'demand%'")
        await connection.execute("analyze models; analyze use_cases")
        plan = "\n".join(row["QUERY PLAN"] for row in await connection.fetch(f"explain {alike.ALIKE}", "forcast"))
    assert "models_alike" in plan, plan
    assert await meant(helpful, "pricng") == ["pricing-77", *(f"pricing-77-{n}" for n in (1, 10, 100, 1000))]
    assert not any(name.startswith("demand") for name in await meant(helpful, "forcast"))


async def test_the_schema_goes_down_and_up_with_it(helpful: World) -> None:
    await down_to(helpful.database, "assent_catalog", "0011")
    # The extension is there still, the indexes are not.
    assert await meant(helpful, "forcast") == ["demand-forecast"]
    await migrations.upgrade(helpful.database, "assent_catalog")
    async with helpful.database.connection() as connection:
        await connection.execute("drop extension pg_trgm cascade")
    assert await meant(helpful, "forcast") == []


async def test_who_may_not_create_extensions_goes_without(postgres: Postgres) -> None:
    """Neither does the migration fail."""
    await postgres.create_database("guarded")
    owner = await asyncpg.connect(postgres.plain_url("guarded"))
    await owner.execute("create role modest login password 'modest'; grant create on schema public to modest")
    await owner.close()
    async with a_world(f"postgresql+asyncpg://modest:modest@127.0.0.1:{postgres.port}/guarded") as world:
        await told(world)
        assert await meant(world, "forcast") == []


async def test_a_postgres_without_it_finds_the_same_and_means_nothing(world: World) -> None:
    await told(world)
    assert await meant(world, "forcast") == []
    [found] = (await world.get("/v1/search", q="forecast"))["items"]
    assert found["name"] == "demand-forecast"
