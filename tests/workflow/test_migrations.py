"""The schema goes up, down and up again, and what stands then waits for its time as before."""

from assent_common import migrations

from tests.workflow.world import World

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
    await migrations.upgrade(world.database, "assent_workflow", revision="0001")
    await migrations.upgrade(world.database, "assent_workflow")
    assert await _rows(world, TIMERS) == before
    await world.approve_all(candidacy["id"])
    accepted = await _rows(world, TIMERS)
    assert [row[1] for row in accepted] == ["expiry"]
    await migrations.upgrade(world.database, "assent_workflow", revision="0001")
    await migrations.upgrade(world.database, "assent_workflow")
    assert await _rows(world, TIMERS) == accepted


async def _rows(world: World, statement: str) -> list[tuple[object, ...]]:
    async with world.database.connection() as connection:
        return [tuple(row) for row in await connection.fetch(statement)]
