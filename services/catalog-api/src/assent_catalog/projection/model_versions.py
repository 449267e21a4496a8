"""What the registry says of model versions, as rows: batches in, guarded by sequence."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import asyncpg
import orjson
from assent_common import ids
from assent_common.events.envelope import CloudEvent
from assent_common.events.registry import ModelVersionObserved, Removed

# Names are searched whole and by their parts: `churn-xgb-v2` by `xgb`, too.
UPSERT = """
insert into model_versions as v
       (id, urn, source, model, model_id, name, version, description, type, framework, algorithm, source_status,
        source_approval_status, metrics_status, content_hash, created_at, modified_at, live, record, raw, search,
        sequence, changed_at)
select id, urn, source, model, model_id, name, version, description, type, framework, algorithm, source_status,
       source_approval_status, metrics_status, content_hash, created_at, modified_at,
       not exists (select from removals r where r.urn = e.urn and r.sequence > e.sequence), record::jsonb, raw::jsonb,
       to_tsvector('simple', concat_ws(' ', name, regexp_replace(name, '[-_./]', ' ', 'g'), description, type,
                                       framework, algorithm, words)),
       sequence, changed_at
  from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::int[], $7::text[], $8::text[], $9::text[],
              $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::timestamptz[], $16::timestamptz[],
              $17::text[], $18::text[], $19::text[], $20::bigint[], $21::timestamptz[], $22::uuid[])
       as e(id, urn, source, model, name, version, description, type, framework, algorithm, source_status,
            source_approval_status, metrics_status, content_hash, created_at, modified_at, record, raw, words, sequence,
            changed_at, model_id)
 order by id
on conflict (id) do update
   set source = excluded.source, model = excluded.model, model_id = excluded.model_id, name = excluded.name,
       version = excluded.version,
       description = excluded.description, type = excluded.type, framework = excluded.framework,
       algorithm = excluded.algorithm, source_status = excluded.source_status,
       source_approval_status = excluded.source_approval_status, metrics_status = excluded.metrics_status,
       content_hash = excluded.content_hash, created_at = excluded.created_at, modified_at = excluded.modified_at,
       live = excluded.live, record = excluded.record, raw = excluded.raw, search = excluded.search,
       sequence = excluded.sequence, changed_at = excluded.changed_at
 where excluded.sequence > v.sequence
returning v.id, v.xmax <> 0 as was_there
"""
# Kept as it was last seen, but gone.
REMOVE = """
update model_versions v set live = false
  from removals r
 where r.urn = any($1::text[]) and v.urn = r.urn and v.sequence < r.sequence and v.live
returning v.id
"""
FORGET_METRICS = "delete from metrics where model_version = any($1::uuid[])"
KEEP_METRICS = """
insert into metrics (model_version, name, value, standard_deviation, dataset, slice, kind, source_name, report, better,
                     unreadable_because)
select v.id, m.key, (m.value->>'value')::float8, (m.value->>'standard_deviation')::float8, m.value->>'dataset',
       m.value->>'slice', coalesce(m.value->>'kind', 'measured'), m.value->>'source_name', m.value->>'report',
       m.value->>'better',
       case when v.metrics_status <> 'complete' then (
           select coalesce(r->>'reason', 'not read yet') from jsonb_array_elements(v.record->'reports') r
            where r->>'uri' = m.value->>'report' and r->>'status' <> 'complete' limit 1) end
  from model_versions v, jsonb_each(v.record->'metrics') m
 where v.id = any($1::uuid[])
"""
_NOT_KEPT = {"raw"}


class Observation(NamedTuple):
    event: CloudEvent
    version: ModelVersionObserved


async def observed(connection: asyncpg.Connection, observations: Sequence[Observation]) -> set[Any]:
    """The ids of those that are not what they were."""
    if not observations:
        return set()
    newest = {o.version.urn: o for o in sorted(observations, key=lambda o: o.event.number)}
    rows = [_values(observation) for observation in newest.values()]
    written = await connection.fetch(UPSERT, *_columns(rows))
    changed = {row["id"] for row in written}
    if had_metrics := [row["id"] for row in written if row["was_there"]]:
        await connection.execute(FORGET_METRICS, had_metrics)
    if changed:
        await connection.execute(KEEP_METRICS, list(changed))
    return changed


async def removed(connection: asyncpg.Connection, events: Sequence[tuple[CloudEvent, Removed]]) -> set[Any]:
    """The ids of those that are gone now."""
    if not events:
        return set()
    return {row["id"] for row in await connection.fetch(REMOVE, [gone.urn for _, gone in events])}


def _values(observation: Observation) -> tuple[Any, ...]:
    event, version = observation
    words = " ".join([version.urn, *version.tags.values(), *version.properties.values()])
    raw = orjson.dumps(version.raw).decode() if version.raw is not None else None
    return (
        *(ids.of_urn(version.urn), version.urn, version.source, version.model, version.name, version.version),
        *(version.description, version.type, version.framework, version.algorithm, version.source_status),
        *(version.source_approval_status, version.metrics_status, version.content_hash, version.created_at),
        *(
            version.modified_at,
            version.model_dump_json(exclude=_NOT_KEPT),
            raw,
            words[:20_000],
            event.number,
            event.time,
        ),
        ids.of_urn(version.model) if version.model else None,
    )


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
