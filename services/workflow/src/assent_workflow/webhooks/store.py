"""Webhooks and their deliveries as rows."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from assent_common import ids
from assent_common.uow import UnitOfWork

from assent_workflow.outgoing.follow import follow
from assent_workflow.outgoing.queue import Queue

QUEUE = Queue("webhook_deliveries", receiver="webhook")

ENABLED = "select id, types from webhooks where enabled"
INSERT = """
insert into webhook_deliveries (id, webhook, position, type, body, status, attempts, next_try_at, created_at)
select *, 'waiting', 0, now(), now() from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::bytea[])
on conflict (webhook, position) do nothing
"""
RECEIVER = """
select id, url, secret, enabled, case when old_until > now() then old_secret end as old_secret
  from webhooks where id = $1
"""
# Nothing at all since this delivery was written, and that is long ago. Index: webhook_deliveries_log.
TOOK_NOTHING = """
select d.created_at < now() - interval '2 days'
   and not exists (select from webhook_deliveries t where t.webhook = $1 and t.delivered_at > d.created_at)
  from webhook_deliveries d where d.id = $2
"""
DISABLE = """
update webhooks set enabled = false, disabled_reason = $2, sequence = sequence + 1 where id = $1 and enabled
returning created_by
"""
GIVE_UP = """
update webhook_deliveries set status = 'failed', last_error = $2 where webhook = $1 and status = 'waiting'
"""


async def fan_out(uow: UnitOfWork, most: int = 200) -> int:
    """A delivery for everybody who wants it, of each event behind the last position; how many events there were."""
    connection = await uow.sql()

    async def make(events: Sequence[Mapping[str, Any]]) -> None:
        webhooks = await connection.fetch(ENABLED)
        rows = []
        for event in events:
            type_ = orjson.loads(event["body"])["type"]
            for webhook in webhooks:
                if wants(webhook["types"], type_):
                    rows.append((ids.new(), webhook["id"], event["position"], type_, event["body"]))
        if rows:
            await connection.execute(INSERT, *map(list, zip(*rows, strict=True)))
        await QUEUE.forget(connection)

    return await follow(connection, "webhook_cursor", make, most=most)


def wants(types: Sequence[str], type_: str) -> bool:
    """None named means all; `assent.governance.task.*` is all that begin so."""
    return not types or any(type_ == each or (each.endswith("*") and type_.startswith(each[:-1])) for each in types)


async def add(connection: asyncpg.Connection, webhook: UUID, type_: str, body: bytes) -> UUID:
    """One delivery by hand, to this webhook only."""
    id_ = ids.new()
    await connection.execute(INSERT, [id_], [webhook], [None], [type_], [body])
    return id_
