"""What watches over deployments, as the deployments' records say it."""

from collections.abc import Collection

import asyncpg

FORGET = "delete from monitors where deployment = any($1::text[])"
KEEP = """
insert into monitors (urn, deployment, source, name, type, status, last_execution_status, last_execution_at, record)
select m->>'urn', d.urn, d.source, m->>'name', m->>'type', m->>'status', m->>'last_execution_status',
       (m->>'last_execution_at')::timestamptz, m
  from deployments d, jsonb_array_elements(coalesce(d.record->'monitors', '[]')) m
 where d.urn = any($1::text[]) and d.live
on conflict do nothing
"""


async def deployments(connection: asyncpg.Connection, urns: Collection[str]) -> None:
    """Of deployments that may have changed or gone. Their rows are written."""
    if urns:
        await connection.execute(FORGET, list(urns))
        await connection.execute(KEEP, list(urns))
