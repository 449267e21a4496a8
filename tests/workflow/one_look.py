"""What a duty that sends does in one look, and whatever follows from it."""

import asyncio
from collections.abc import Sequence

from assent_common.database import Database
from assent_common.supervise import Duty

DELIVERIES = """
select (select position from webhook_cursor) as position, count(*) as rows, sum(attempts) as attempts
  from webhook_deliveries
"""
NOTIFICATIONS = "select sum(attempts) as attempts from notifications"
CHECKS = "select coalesce(sum(attempts), 0) as attempts from external_checks"


async def one_look(duty: Duty) -> None:
    """Told to stop before it began, it sees what it finds to its end."""
    stopped = asyncio.Event()
    stopped.set()
    await duty(stopped)


async def looks(database: Database, far: str, duties: Sequence[Duty]) -> None:
    """By all of them at once, until none has found anything."""
    before, now = None, await _read(database, far)
    while now != before:
        await asyncio.gather(*(one_look(duty) for duty in duties))
        before, now = now, await _read(database, far)


async def attempts_of_one_look(database: Database, far: str, duty: Duty) -> int:
    before = await _read(database, far)
    await one_look(duty)
    after = await _read(database, far)
    return int(after["attempts"] - before["attempts"])


async def _read(database: Database, far: str) -> dict[str, int]:
    async with database.connection() as connection:
        return dict(await connection.fetchrow(far))
