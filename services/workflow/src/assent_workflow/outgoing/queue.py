"""Things to be sent as rows of a table, taken by any number of workers, each by one at a time.

A table of them has `id`, `status` (`waiting`, `delivered`, `failed`), `attempts`, `next_try_at`, `last_status`,
`last_error`, `created_at` and `delivered_at`, an index of what waits by receiver and `next_try_at` (by `next_try_at`
alone, where all goes to one), and one of what ended by `created_at`.
"""

import random
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import asyncpg

from assent_workflow.outgoing.outcome import Outcome
from assent_workflow.outgoing.places import Receiver, Room, Row

#: In seconds after a failure: over three days in all.
RETRIES_S = (5, 300, 1_800, 7_200, 18_000, 36_000, 36_000, 54_000, 54_000, 54_000)
#: How long one attempt holds what it is about: another may try after that, for whoever held it is dead.
HELD_S = 60

Table = Literal["webhook_deliveries", "notifications"]
Ended = Literal["delivered", "waiting", "failed"]

#: The columns that tell receivers apart, and their types.
TYPES = {"webhook": "uuid", "address": "text"}
Column = Literal["webhook", "address"]

CLAIM = """
update {table}
   set attempts = attempts + 1, next_try_at = now() + make_interval(secs => $2)
 where id in (select id from {table} where status = 'waiting' and next_try_at <= now() and {only}
               order by next_try_at limit $1 for update skip locked)
returning *, now() as now
"""
# The first that are due of each receiver for whom there is room, and of those first whose receiver has the fewest under
# way: nobody is behind what waits for another, however much that is. They are looked for without holding them, and some
# more than there is room for: others take some meanwhile. Index: the waiting ones by receiver, next_try_at; everywhere.
CLAIM_BY_RECEIVER = """
with recursive waiting(receiver) as (
    (select {receiver} from {table} where status = 'waiting' and {only} order by {receiver} limit 1)
    union all
    select (select t.{receiver} from {table} t
             where t.status = 'waiting' and {only} and t.{receiver} > w.receiver order by t.{receiver} limit 1)
      from waiting w where w.receiver is not null
), receivers as (
    select w.receiver, coalesce(u.under_way, 0) as under_way
      from waiting w left join unnest($3::{type}[], $4::int[]) as u(receiver, under_way) using (receiver)
     where w.receiver is not null and (w.receiver = any($5::{type}[])) = $6
), due as (
    select d.id, d.nth
      from receivers r cross join lateral (
           select t.id, t.next_try_at, r.under_way + row_number() over (order by t.next_try_at) as nth
             from {table} t
            where t.{receiver} = r.receiver and t.status = 'waiting' and t.next_try_at <= now() and {only}
            order by t.next_try_at limit greatest($7 - r.under_way, 0)) d
     order by d.nth, d.next_try_at limit $1 * 4
)
update {table}
   set attempts = attempts + 1, next_try_at = now() + make_interval(secs => $2)
 where id in (select t.id from {table} t join due using (id)
               where t.status = 'waiting' and t.next_try_at <= now()
               order by due.nth, t.next_try_at limit $1 for update of t skip locked)
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

    def __init__(self, table: Table, only: str = "true", *, receiver: Column | None = None) -> None:
        """`receiver` tells receivers apart; without one, all goes to the same."""
        self._receiver = receiver
        names = {"table": table, "only": only, "receiver": receiver, "type": TYPES[receiver] if receiver else None}
        claim = CLAIM if receiver is None else CLAIM_BY_RECEIVER
        self._claim, self._ended, self._again, self._forget = (
            statement.format(**names) for statement in (claim, ENDED, AGAIN, FORGET)
        )

    @property
    def is_of_one(self) -> bool:
        return self._receiver is None

    def receiver_of(self, row: Row) -> Receiver:
        receiver: Receiver = row[self._receiver] if self._receiver else ""
        return receiver

    async def claim(self, connection: asyncpg.Connection, room: Room) -> list[Row]:
        """What is due, held for a minute: whoever dies over one leaves it to another. `now` is the database's."""
        values: list[Any] = [room.most, HELD_S]
        if self._receiver is not None:
            under_way = (list(room.under_way), list(room.under_way.values()))
            values += [*under_way, list(room.slow), room.aside, room.each]
        return list(await connection.fetch(self._claim, *values))

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
