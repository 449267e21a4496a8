"""As many timers as are wanted, all due at once, and the processes that share them."""

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, Process
from contextlib import AsyncExitStack
from datetime import timedelta

from assent_common.database import Database

from tests.support.wait import until
from tests.workflow.world import World

# Of a candidacy that is there: as many like it as it takes for five timers each.
CANDIDACIES = """
insert into candidacies
select gen_random_uuid(), gen_random_uuid(), use_case, model_version, version_created_at, 'candidate', null, null, null,
       null, put_forward_by, put_forward_by_issuer, created_at, changed_by, changed_at, null, 1
  from candidacies, generate_series(1, $1::int) where id = $2
"""
TIMERS = """
insert into timers (id, subject, kind, candidacy, role, due_at, fire_at)
select gen_random_uuid(), gen_random_uuid(), 'due', c.id, 'legal', at, at
  from candidacies c, generate_series(1, 5), (select now() + $2::interval as at) t where c.id <> $1
"""
# `key` is the timer's: a second event of it would be a second firing.
TOLD = """
select count(*) as told, count(distinct o.key) as timers from outbox o join timers t on t.id::text = o.key
"""
LEFT = "select count(*) from timers where fired_at is null and fire_at <= now()"
WORKERS = 3


async def lay(world: World, count: int, *, due_in: timedelta) -> None:
    candidacy = await world.put_forward(submit=False)
    async with world.database.connection() as connection:
        await connection.execute(CANDIDACIES, count // 5, candidacy["id"])
        await connection.execute(TIMERS, candidacy["id"], due_in)
        await connection.execute("vacuum analyze timers")
        await connection.execute("vacuum analyze candidacies")


async def fired_by_three_of_whom_one_is_killed(database: Database, url: str, *, within_s: float) -> None:
    """Returns once nothing is left that is due."""

    async def left() -> int:
        async with database.connection() as connection:
            count: int = await connection.fetchval(LEFT)
            return count

    due = await left()
    async with AsyncExitStack() as started:
        workers = [await a_worker(url) for _ in range(WORKERS)]
        for worker in workers:
            started.push_async_callback(_killed, worker)

        async def is_under_way() -> bool:
            return await left() <= due - due // 10

        await until(is_under_way, within_s=within_s)
        workers[0].kill()
        assert await left() > 0, "all was fired before one could be killed"

        async def is_done() -> bool:
            return await left() == 0

        await until(is_done, within_s=within_s)


async def a_worker(url: str) -> Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.workflow.timers_process"),
        env={**os.environ, "ASSENT_DATABASE_URL": url},
        stdout=DEVNULL,
    )


async def _killed(worker: Process) -> None:
    if worker.returncode is None:
        worker.kill()
    await worker.wait()
