"""Migrations, step by step, on filled tables and while others write."""

import asyncio
from collections.abc import Awaitable, Callable
from importlib.resources import files
from itertools import pairwise

from assent_common import migrations
from assent_common.database import Database

SCHEMA = """
select table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable as text
  from information_schema.columns where table_schema = 'public'
union all
select indexdef from pg_indexes where schemaname = 'public'
union all
select conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) from pg_constraint
 where connamespace = 'public'::regnamespace
order by 1
"""


async def down_and_up_while(database: Database, package: str, write: Callable[[int], Awaitable[None]]) -> int:
    """Each step but the first, the last one first: down, up and down again, while `write` is called with 1, 2, 3 …

    Ends at the first step, where `write` has been called as often as is returned, at least once beside each step.
    """
    written = 0
    done = asyncio.Event()

    async def go_on() -> None:
        nonlocal written
        while not done.is_set():
            await write(written + 1)
            written += 1

    writing = asyncio.create_task(go_on())
    try:
        steps = _revisions(package)
        assert len(steps) > 2
        for before, step in reversed(list(pairwise(steps))):
            already = written
            there = await schema(database)
            await migrations.upgrade(database, package, revision="-1")
            await migrations.upgrade(database, package, revision=step)
            assert await schema(database) == there, step
            await migrations.upgrade(database, package, revision="-1")
            assert await _revision(database) == before
            while written == already and not writing.done():
                await asyncio.sleep(0)
    finally:
        done.set()
    await writing
    return written


async def down_to(database: Database, package: str, revision: str) -> None:
    """From the newest one, so that this one is the last that stands."""
    later = [step for step in _revisions(package) if step > revision]
    await migrations.upgrade(database, package, revision=f"-{len(later)}")
    assert await _revision(database) == revision


async def schema(database: Database) -> list[str]:
    async with database.connection() as connection:
        return [row["text"] for row in await connection.fetch(SCHEMA)]


async def _revision(database: Database) -> str:
    async with database.connection() as connection:
        revision: str = await connection.fetchval("select version_num from alembic_version")
        return revision


def _revisions(package: str) -> list[str]:
    versions = files(package) / "migrations" / "versions"
    return sorted(file.name[:4] for file in versions.iterdir() if file.name[:4].isdigit())
