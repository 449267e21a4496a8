"""What the registry says, as rows: batches in, guarded by sequence."""

from collections.abc import Sequence
from typing import NamedTuple

import asyncpg
import orjson
from assent_common import ids
from assent_common.events.envelope import CloudEvent
from assent_common.events.registry import ModelVersionObserved, Removed

# The newest state of each urn in the batch; ordered, so that two batches lock rows in one order.
UPSERT = """
insert into model_versions as v
       (urn, id, source, live, created_at, content_hash, content, record, traceparent, sequence)
select urn, id, source, true, created_at, content_hash, content::jsonb, record::jsonb, traceparent, sequence
  from unnest($1::text[], $2::uuid[], $3::text[], $4::timestamptz[], $5::text[], $6::text[], $7::text[], $8::text[],
              $9::bigint[]) as e(urn, id, source, created_at, content_hash, content, record, traceparent, sequence)
 order by urn
on conflict (urn) do update
   set source = excluded.source, live = true, created_at = excluded.created_at, content_hash = excluded.content_hash,
       content = excluded.content, record = excluded.record, traceparent = excluded.traceparent,
       sequence = excluded.sequence
 where excluded.sequence > v.sequence
returning urn
"""
# What was never seen here is kept as gone, too: an observation that comes late must not bring it to life.
REMOVE = """
insert into model_versions as v (urn, id, source, live, created_at, content_hash, content, record, sequence)
select urn, id, source, false, removed_at, '', '{}', '{}', sequence
  from unnest($1::text[], $2::uuid[], $3::text[], $4::timestamptz[], $5::bigint[])
       as e(urn, id, source, removed_at, sequence)
 order by urn
on conflict (urn) do update set live = false, sequence = excluded.sequence
 where excluded.sequence > v.sequence
returning urn
"""
UPSERT_OTHERS = """
insert into other_entities as o (urn, source, kind, live, sequence, created_by)
select * from unnest($1::text[], $2::text[], $3::text[], $4::boolean[], $5::bigint[], $6::text[])
       as e(urn, source, kind, live, sequence, created_by)
 order by urn
on conflict (urn) do update
   set source = excluded.source, live = excluded.live, sequence = excluded.sequence,
       created_by = coalesce(excluded.created_by, o.created_by)
 where excluded.sequence > o.sequence
"""
HELD = """
select source, 'model_version' as kind, count(*) as live, sum(sequence)::bigint as sequences
  from model_versions where live group by source
union all
select source, 'deployment', count(*), sum(sequence)::bigint from deployments where live group by source
union all
select source, kind, count(*), sum(sequence)::bigint
  from other_entities where live and kind <> 'deployment' group by source, kind
"""


class Observation(NamedTuple):
    event: CloudEvent
    version: ModelVersionObserved


class Other(NamedTuple):
    urn: str
    source: str
    kind: str
    live: bool
    sequence: int
    created_by: str | None = None


async def observed(connection: asyncpg.Connection, observations: Sequence[Observation]) -> list[str]:
    """The urns that are not what they were."""
    newest: dict[str, Observation] = {}
    for observation in observations:
        before = newest.get(observation.version.urn)
        if before is None or observation.event.number > before.event.number:
            newest[observation.version.urn] = observation
    columns: list[list[object]] = [[] for _ in range(9)]
    for event, version in newest.values():
        values = (
            *(version.urn, ids.of_urn(version.urn), version.source, version.created_at, version.content_hash),
            orjson.dumps(version.content).decode(),
            version.model_dump_json(exclude={"raw", "content"}),
            *(event.traceparent, event.number),
        )
        for column, value in zip(columns, values, strict=True):
            column.append(value)
    return [row["urn"] for row in await connection.fetch(UPSERT, *columns)] if newest else []


async def removed(connection: asyncpg.Connection, events: Sequence[tuple[CloudEvent, Removed]]) -> list[str]:
    """The urns of versions that are gone from their source."""
    newest = {
        gone.urn: (gone.urn, ids.of_urn(gone.urn), gone.source, gone.removed_at, event.number)
        for event, gone in sorted(events, key=lambda pair: pair[0].number)
    }
    if not newest:
        return []
    return [row["urn"] for row in await connection.fetch(REMOVE, *map(list, zip(*newest.values(), strict=True)))]


async def others(connection: asyncpg.Connection, rows: Sequence[Other]) -> None:
    """Models, as far as counting needs them, and who made a model."""
    newest = {row.urn: row for row in sorted(rows, key=lambda row: row.sequence)}
    if newest:
        await connection.execute(UPSERT_OTHERS, *map(list, zip(*newest.values(), strict=True)))
