"""Webhooks and their deliveries as rows."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from assent_common import ids

#: In seconds after a failure: over three days in all.
RETRIES_S = (5, 300, 1_800, 7_200, 18_000, 36_000, 36_000, 54_000, 54_000, 54_000)
#: How long one attempt holds its delivery: another may try it after that, for whoever held it is dead.
HELD_S = 60

CURSOR = "select position from webhook_cursor for update skip locked"
# Without gaps: what is behind the cursor was given a delivery, what is beyond it has none. Index: the unique position.
NEXT = "select position, body from outbox where position > $1 order by position limit $2"
MOVE = "update webhook_cursor set position = $1"
ENABLED = "select id, types from webhooks where enabled"
INSERT = """
insert into webhook_deliveries (id, webhook, position, type, body, status, attempts, next_try_at, created_at)
select *, 'waiting', 0, now(), now() from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::bytea[])
on conflict (webhook, position) do nothing
"""
# Any number of workers share them. Index: webhook_deliveries_waiting.
CLAIM = """
update webhook_deliveries d
   set attempts = d.attempts + 1, next_try_at = now() + make_interval(secs => $2)
  from webhooks w
 where w.id = d.webhook
   and d.id in (select id from webhook_deliveries where status = 'waiting' and next_try_at <= now()
                 order by next_try_at limit $1 for update skip locked)
returning d.id, d.webhook, d.body, d.attempts, d.type, w.url, w.secret, w.enabled,
          case when w.old_until > now() then w.old_secret end as old_secret, extract(epoch from now())::bigint as now
"""
# Only by the attempt that it was claimed for.
ENDED = """
update webhook_deliveries
   set status = $3, last_status = $4, last_error = $5, delivered_at = case when $3 = 'delivered' then now() end,
       next_try_at = now() + make_interval(secs => $6)
 where id = $1 and attempts = $2 and status = 'waiting'
"""
DISABLE = """
update webhooks set enabled = false, disabled_reason = $2, sequence = sequence + 1 where id = $1 and enabled
"""
GIVE_UP = """
update webhook_deliveries set status = 'failed', last_error = $2 where webhook = $1 and status = 'waiting'
"""
AGAIN = """
update webhook_deliveries set status = 'waiting', attempts = 0, next_try_at = now()
 where id = $1 and status <> 'waiting' returning webhook
"""
# The log is kept for thirty days. Index: webhook_deliveries_ended.
FORGET = """
delete from webhook_deliveries
 where id in (select id from webhook_deliveries
               where status <> 'waiting' and created_at < now() - interval '30 days' limit 1000)
"""


async def fan_out(connection: asyncpg.Connection, most: int = 200) -> int:
    """A delivery for everybody who wants it, of each event behind the last position; how many events there were.

    In one transaction with the position: none is forgotten and none is written twice. Only one process does it.
    """
    position = await connection.fetchval(CURSOR)
    if position is None:
        return 0
    told = await connection.fetch(NEXT, position, most)
    if not told:
        return 0
    webhooks = await connection.fetch(ENABLED)
    rows = []
    for event in told:
        type_ = orjson.loads(event["body"])["type"]
        for webhook in webhooks:
            if wants(webhook["types"], type_):
                rows.append((ids.new(), webhook["id"], event["position"], type_, event["body"]))
    if rows:
        await connection.execute(INSERT, *map(list, zip(*rows, strict=True)))
    await connection.execute(MOVE, told[-1]["position"])
    await connection.execute(FORGET)
    return len(told)


def wants(types: Sequence[str], type_: str) -> bool:
    """None named means all; `assent.governance.task.*` is all that begin so."""
    return not types or any(type_ == each or (each.endswith("*") and type_.startswith(each[:-1])) for each in types)


async def add(connection: asyncpg.Connection, webhook: UUID, type_: str, body: bytes) -> UUID:
    """One delivery by hand, to this webhook only."""
    id_ = ids.new()
    await connection.execute(INSERT, [id_], [webhook], [None], [type_], [body])
    return id_


async def claim(connection: asyncpg.Connection, most: int) -> list[Mapping[str, Any]]:
    return list(await connection.fetch(CLAIM, most, HELD_S))
