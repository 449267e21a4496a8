"""`make bench-timers`: timers due at once, fired by three processes of which one is killed, beside many that
wait; and what it costs to look for what is due while those wait."""

import argparse
import asyncio
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from statistics import median

from assent_common.database import Database
from assent_local.ports import free_port
from assent_local.postgres import Postgres
from assent_workflow.timers.fire import fire

from tests.bench.report import Row, Table
from tests.workflow import many_timers
from tests.workflow.world import a_use_case, a_version, a_world

# Those that are to fire, of those that wait.
NOW = """
update timers set due_at = now(), fire_at = now() where id in (select id from timers order by id limit $1)
"""


async def run(count: int, waiting: int, write_to: Path | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        postgres = Postgres(Path(folder) / "postgres", free_port())
        await postgres.start()
        try:
            await postgres.create_database("workflow")
            url = postgres.url("workflow")
            async with a_world(url) as world:
                await world.hears(a_use_case(), a_version())
                beside_none = await looked(world.database)
                await many_timers.lay(world, count + waiting, due_in=timedelta(days=1))
                beside_all = await looked(world.database)
                async with world.database.connection() as connection:
                    await connection.execute(NOW, count)
                    await connection.execute("vacuum analyze timers")
                began = time.monotonic()
                await many_timers.fired_by_three_of_whom_one_is_killed(world.database, url, within_s=900)
                took_s = time.monotonic() - began
                async with world.database.connection() as connection:
                    told = dict(await connection.fetchrow(many_timers.TOLD))
        finally:
            await postgres.stop()
    assert told == {"told": count, "timers": count}, told
    table = Table("bench-timers", "Timers")
    fired = f"{count:,} due at once, fired once each by three processes of which one is killed"
    table.add(Row(fired, f"{took_s:.1f} s, {count / took_s:,.0f} a second", f"beside {waiting:,} that wait"))
    table.add(
        Row(
            "to look for what is due, and find nothing",
            f"{_spread(beside_all)} beside {count + waiting:,}",
            f"{_spread(beside_none)} beside none",
        )
    )
    if write_to is not None:
        table.write(write_to)


async def looked(database: Database) -> list[float]:
    """How many milliseconds it takes to find nothing due, a hundred times."""
    took = []
    for _ in range(100):
        began = time.perf_counter()
        async with database.transaction() as uow:
            assert await fire(uow) == 0
        took.append((time.perf_counter() - began) * 1000)
    return took


def _spread(took_ms: list[float]) -> str:
    return f"{median(took_ms):.1f} ms ({min(took_ms):.1f}-{max(took_ms):.1f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000, help="due at once")
    parser.add_argument("--waiting", type=int, default=1_000_000, help="due tomorrow")
    parser.add_argument("--write", type=Path, default=None, help="The Markdown page that keeps the table")
    given = parser.parse_args()
    asyncio.run(run(given.count, given.waiting, given.write))


if __name__ == "__main__":
    main()
