"""Every state that a registry told of, whenever it comes: history has no newest."""

from collections.abc import Iterable, Mapping

import asyncpg
from assent_common.events.envelope import CloudEvent
from assent_common.events.model import Payload
from assent_common.events.registry import Kind, Removed

#: Without the source's own document: it is kept as it stands now alone.
_NOT_KEPT = {"raw"}
_KEEP = """
insert into {table} (urn, sequence, at, state)
select urn, sequence, at, state::jsonb from unnest($1::text[], $2::bigint[], $3::timestamptz[], $4::text[])
       as e(urn, sequence, at, state)
on conflict do nothing
"""
TABLES: Mapping[Kind, str] = {
    Kind.MODEL: "model_history",
    Kind.MODEL_VERSION: "model_version_history",
    Kind.DEPLOYMENT: "deployment_history",
}
KEEP = {kind: _KEEP.format(table=table) for kind, table in TABLES.items()}


async def keep(connection: asyncpg.Connection, kind: Kind, told: Iterable[tuple[CloudEvent, Payload]]) -> None:
    """A removal is a state without content."""
    states = [
        (
            *(event.subject, event.number, event.time),
            None if isinstance(payload, Removed) else payload.model_dump_json(exclude=_NOT_KEPT),
        )
        for event, payload in told
    ]
    if states:
        await connection.execute(KEEP[kind], *map(list, zip(*states, strict=True)))
