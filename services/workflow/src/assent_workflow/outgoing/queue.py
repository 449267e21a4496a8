"""Things to be sent as rows of a table, taken by any number of workers, each by one at a time.

A table of them has `id`, `status` (`waiting`, `delivered`, `failed`), `attempts`, `next_try_at`, `last_status`,
`last_error`, `created_at` and `delivered_at`, an index of what waits by `next_try_at`, and one of what ended by
`created_at`.
"""

import random
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import asyncpg

from assent_workflow.outgoing.outcome import Outcome

#: In seconds after a failure: over three days in all.
RETRIES_S = (5, 300, 1_800, 7_200, 18_000, 36_000, 36_000, 54_000, 54_000, 54_000)
#: How long one attempt holds what it is about: another may try after that, for whoever held it is dead.
HELD_S = 60

Table = Literal["webhook_deliveries", "notifications"]
Ended = Literal["delivered", "waiting", "failed"]
Row = Mapping[str, Any]

CLAIM = """
update {table}
   set attempts = attempts + 1, next_try_at = now() + make_interval(secs => $2)
 where id in (select id from {table} where status = 'waiting' and next_try_at <= now() and {only}
               order by next_try_at limit $1 for update skip locked)
returning *, now() as now
"""
# Only by the attempt that it was claimed for.
ENDED = """
update {table}
   set status = $3, last_status = $4, last_error = $5, delivered_at = case when $3 = 'delivered' then now() end,
       next_try_at = now() + make_interval(secs => $6)
 where id = $1 and attempts = $2 and status = 'waiting'
"""
AGAIN = """
update {table} set status = 'waiting', attempts = 0, next_try_at = now()
 where id = $1 and status in ('delivered', 'failed') returning id
"""
# The log is kept for thirty days.
FORGET = """
delete from {table}
 where id in (select id from {table}
               where status <> 'waiting' and created_at < now() - interval '30 days' limit 1000)
"""


class Queue:
    """Of one table, or of those of its rows that a condition on their own columns picks."""

    def __init__(self, table: Table, only: str = "true") -> None:
        self._claim, self._ended, self._again, self._forget = (
            statement.format(table=table, only=only) for statement in (CLAIM, ENDED, AGAIN, FORGET)
        )

    async def claim(self, connection: asyncpg.Connection, most: int) -> list[Row]:
        """What is due, held for a minute: whoever dies over one leaves it to another. `now` is the database's."""
        return list(await connection.fetch(self._claim, most, HELD_S))

    async def ended(self, connection: asyncpg.Connection, row: Row, outcome: Outcome) -> Ended | None:
        """Keep how the attempt went; what became of the row, or None where another attempt has overtaken this one."""
        attempts: int = row["attempts"]
        if outcome.taken:
            status, wait_s = "delivered", 0.0
        elif outcome.final or attempts > len(RETRIES_S):
            status, wait_s = "failed", 0.0
        else:
            later_s = RETRIES_S[attempts - 1] * random.uniform(0.8, 1.2)  # noqa: S311 - spreads, hides nothing
            status, wait_s = "waiting", max(later_s, outcome.wait_s)
        values = (row["id"], attempts, status, outcome.status, outcome.error, wait_s)
        written = await connection.execute(self._ended, *values)
        return status if written.endswith(" 1") else None  # type: ignore[return-value]

    async def again(self, connection: asyncpg.Connection, id_: UUID) -> bool:
        """Once more from the beginning. False where it waits already, or is not there."""
        return await connection.fetchval(self._again, id_) is not None

    async def forget(self, connection: asyncpg.Connection) -> None:
        await connection.execute(self._forget)


def now_of(row: Row) -> datetime:
    """The database's clock, when the row was claimed."""
    now: datetime = row["now"]
    return now
