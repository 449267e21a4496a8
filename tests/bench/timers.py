"""`python -m tests.bench.timers`: timers due at once, fired by three processes of which one is killed."""

import argparse
import asyncio
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from assent_local.ports import free_port
from assent_local.postgres import Postgres

from tests.workflow import many_timers
from tests.workflow.world import a_use_case, a_version, a_world


async def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        postgres = Postgres(Path(folder) / "postgres", free_port())
        await postgres.start()
        try:
            await postgres.create_database("workflow")
            url = postgres.url("workflow")
            async with a_world(url) as world:
                await world.hears(a_use_case(), a_version())
                await many_timers.lay(world, count, due_in=timedelta(0))
                began = time.monotonic()
                await many_timers.fired_by_three_of_whom_one_is_killed(world.database, url, within_s=900)
                took_s = time.monotonic() - began
                async with world.database.connection() as connection:
                    told = dict(await connection.fetchrow(many_timers.TOLD))
        finally:
            await postgres.stop()
    assert told == {"told": count, "timers": count}, told
    print(f"{count:,} timers fired once each in {took_s:.1f} s, {count / took_s:,.0f} a second")  # noqa: T201 - a bench


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    asyncio.run(main(parser.parse_args().count))
