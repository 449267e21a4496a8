"""The schema goes up, down and up again, and what stands then waits for its time as before."""

from assent_common import migrations
from assent_common.clock import SystemClock
from assent_common.database import Database

from tests.support.migrating import down_and_up_while, down_to
from tests.workflow.world import World

WRITE_OF_THE_FIRST = """
insert into model_versions (urn, id, source, live, created_at, content_hash, content, record, sequence)
select urn || '/' || $1::int, gen_random_uuid(), source, live, created_at, content_hash, content, record, sequence
  from model_versions where urn not like '%/7/%'
"""

SCHEMA = """
select table_name, column_name, data_type, is_nullable from information_schema.columns where table_schema = 'public'
 order by 1, 2
"""
TIMERS = "select subject, kind, due_at from timers where kind in ('due', 'expiry') order by 1, 2"


async def test_what_was_laid_is_taken_away_whole_and_laid_again(world: World) -> None:
    before = await _rows(world, SCHEMA)
    assert len(before) > 80
    await migrations.upgrade(world.database, "assent_workflow", revision="base")
    assert {row[0] for row in await _rows(world, SCHEMA)} == {"alembic_version"}
    await migrations.upgrade(world.database, "assent_workflow")
    assert await _rows(world, SCHEMA) == before


async def test_what_was_asked_and_accepted_before_there_were_timers_gets_its_timers(world: World) -> None:
    candidacy = await world.put_forward()
    before = await _rows(world, TIMERS)
    assert len(before) == 5
    await down_to(world.database, "assent_workflow", "0001")
    await migrations.upgrade(world.database, "assent_workflow")
    assert await _rows(world, TIMERS) == before
    await world.approve_all(candidacy["id"])
    accepted = await _rows(world, TIMERS)
    assert [row[1] for row in accepted] == ["expiry"]
    await down_to(world.database, "assent_workflow", "0001")
    await migrations.upgrade(world.database, "assent_workflow")
    assert await _rows(world, TIMERS) == accepted


async def test_every_step_goes_down_and_up_while_a_process_of_the_first_schema_writes(world: World) -> None:
    candidacy = await world.put_forward()
    await world.approve_all(candidacy["id"])

    async def write(number: int) -> None:
        async with world.database.connection() as connection:
            await connection.execute(WRITE_OF_THE_FIRST, number)

    written = await down_and_up_while(world.database, "assent_workflow", write)

    await migrations.upgrade(world.database, "assent_workflow")
    assert await _rows(world, "select count(*) from model_versions") == [(written + 1,)]
    assert (await world.candidacy(candidacy["id"]))["status"] == "accepted"


async def _rows(world: World, statement: str) -> list[tuple[object, ...]]:
    async with world.database.connection() as connection:
        return [tuple(row) for row in await connection.fetch(statement)]


async def test_the_release_before_begins_again_beside_a_schema_of_this_one(database_url: str) -> None:
    """Found by T15: of two releases side by side the older could not be restarted."""
    database = Database(database_url, service="workflow", clock=SystemClock())
    await migrations.upgrade(database, "assent_workflow")
    async with database.connection() as connection:
        await connection.execute("update alembic_version set version_num = 'of-tomorrow'")
    await migrations.upgrade(database, "assent_workflow")
    async with database.connection() as connection:
        assert await connection.fetchval("select version_num from alembic_version") == "of-tomorrow"
    await database.close()
