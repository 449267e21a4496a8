"""The schema goes up, down and up again."""

import asyncio

import asyncpg
import pytest
from assent_common import migrations
from assent_common.events.governance import CandidacyStatus
from sqlalchemy import text

from tests.catalog.world import MODEL, World, a_candidacy, a_deployment, a_model, a_monitor, a_version
from tests.support.migrating import down_and_up_while, down_to
from tests.support.wait import until

WRITE_OF_THE_FIRST = """
insert into model_versions (id, urn, source, name, source_status, metrics_status, content_hash, created_at, live,
                            record, search, sequence, changed_at)
select gen_random_uuid(), urn || '/' || $1::int, source, name, source_status, metrics_status, content_hash, created_at,
       live, record, search, sequence, changed_at
  from model_versions where urn not like '%/7/%'
"""

# The server has other tests' databases, too.
ADVISORY_LOCKS = """
select count(*) from pg_locks l join pg_database d on d.oid = l.database
 where l.locktype = 'advisory' and d.datname = current_database()
"""
# The one stands, the other waits, and the table that the one replaced is nobody's.
BETWEEN_0009_AND_0010 = f"""
select (select version_num from alembic_version) = '0009'
       and exists (select from pg_locks where relation = 'use_case_history'::regclass and not granted)
       and not exists (select from pg_locks where relation = 'metrics'::regclass and mode = 'AccessExclusiveLock')
       and ({ADVISORY_LOCKS} and l.objid = $1 and l.granted) = 1
"""


async def test_what_was_laid_is_taken_away_whole_and_laid_again(world: World) -> None:
    await world.create_use_case()
    events = await world.hears(a_model(), a_version(), a_deployment(), a_candidacy())
    before = await _schema(world)
    assert len(before) > 100

    await migrations.upgrade(world.database, "assent_catalog", revision="base")
    assert [line for line in await _schema(world) if "alembic_version" not in line] == []

    await migrations.upgrade(world.database, "assent_catalog")
    assert await _schema(world) == before
    await world.apply(events)
    assert (await world.version())["status"] == "candidate"


async def test_lineage_is_told_of_what_was_there_before_it(world: World) -> None:
    await world.create_use_case()
    await world.hears(a_version(training_job="churn-2026-10"), a_deployment(), a_candidacy(CandidacyStatus.ACCEPTED))
    before = await _edges(world)
    assert len(before) == 3

    await down_to(world.database, "assent_catalog", "0001")
    await migrations.upgrade(world.database, "assent_catalog")
    assert await _edges(world) == before


async def test_it_goes_down_and_up_on_filled_tables_while_others_write(world: World) -> None:
    await world.hears(a_version(), a_deployment(monitors=[a_monitor()]))
    monitors = await world.get("/v1/monitors")
    assert len(monitors["items"]) == 1
    done = asyncio.Event()

    async def write() -> int:
        """What the step does not touch goes on meanwhile."""
        written = 0
        while not done.is_set() or not written:
            await world.hears(a_model(f"{MODEL}-{written}"))
            written += 1
        return written

    writing = asyncio.create_task(write())
    try:
        await migrations.upgrade(world.database, "assent_catalog", revision="-2")
        await migrations.upgrade(world.database, "assent_catalog")
    finally:
        done.set()
    written = await writing
    assert len(await world.everything("/v1/models")) == written
    assert await world.get("/v1/monitors") == monitors


async def test_every_step_goes_down_and_up_while_a_process_of_the_first_schema_writes(world: World) -> None:
    await world.create_use_case()
    await world.hears(a_model(), a_version(), a_deployment(monitors=[a_monitor()]), a_candidacy())

    async def write(number: int) -> None:
        async with world.database.connection() as connection:
            await connection.execute(WRITE_OF_THE_FIRST, number)

    written = await down_and_up_while(world.database, "assent_catalog", write)

    await migrations.upgrade(world.database, "assent_catalog")
    versions = await world.everything("/v1/model-versions")
    assert len(versions) == written + 1
    assert {version["name"] for version in versions} == {"customer-churn"}


async def test_what_fails_leaves_the_steps_before_it_and_is_gone_on_with(world: World) -> None:
    await world.hears(a_version())
    await down_to(world.database, "assent_catalog", "0008")
    async with world.database.connection() as connection:
        # In the way of 0010.
        await connection.execute("create index use_case_history_datasets on use_case_history (at)")

    with pytest.raises(asyncpg.DuplicateTableError, match="use_case_history_datasets"):
        await migrations.upgrade(world.database, "assent_catalog")
    async with world.database.connection() as connection:
        assert await connection.fetchval("select version_num from alembic_version") == "0009"
        assert await connection.fetchval("select to_regclass('metrics_created') is not null")
        assert await connection.fetchval("select to_regclass('deployment_history_monitors') is null")
        await connection.execute("drop index use_case_history_datasets")

    # All at once: the lock was given back, and only one of them goes on from there.
    await asyncio.gather(*(migrations.upgrade(world.database, "assent_catalog") for _ in range(4)))
    async with world.database.connection() as connection:
        assert await connection.fetchval("select version_num from alembic_version") > "0009"
        assert await connection.fetchval("select to_regclass('deployment_history_monitors') is not null")
        assert await connection.fetchval(ADVISORY_LOCKS) == 0
        assert await connection.fetchval("show lock_timeout") == "0"


async def test_a_step_holds_nothing_of_the_one_before_it_and_no_other_process_comes_between(world: World) -> None:
    await down_to(world.database, "assent_catalog", "0008")
    async with world.database.engine.connect() as other, world.database.connection() as watching:
        # Stops 0010 in the middle.
        await other.execute(text("lock table use_case_history in row exclusive mode"))
        migrating = asyncio.create_task(migrations.upgrade(world.database, "assent_catalog"))
        await until(lambda: watching.fetchval(BETWEEN_0009_AND_0010, migrations.LOCK), within_s=60)
        await other.rollback()
        await migrating


async def test_a_process_of_before_goes_on_beside_the_new_tables(world: World) -> None:
    await world.hears(a_version())
    async with world.database.connection() as connection:
        await connection.execute(
            "insert into metrics (model_version, name, value, standard_deviation, dataset, kind, source_name, report) "
            "select id, 'auc', 0.7, null, null, 'measured', null, null from model_versions"
        )
    ranked = await world.get("/v1/rankings", by="auc", order="highest")
    assert [(item["value"], item["better"]) for item in ranked["items"]] == [(0.7, None)]


async def _edges(world: World) -> list[tuple[str, ...]]:
    async with world.database.connection() as connection:
        rows = await connection.fetch("select * from lineage_edges order by owner, from_urn, to_urn")
    return [tuple(row) for row in rows]


async def _schema(world: World) -> list[str]:
    async with world.database.connection() as connection:
        rows = await connection.fetch(
            """
            select table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable as text
              from information_schema.columns where table_schema = 'public'
            union all
            select indexdef from pg_indexes where schemaname = 'public'
            order by 1
            """
        )
    return [row["text"] for row in rows]
