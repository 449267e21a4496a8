"""What the registry says of model versions, as rows: batches in, guarded by sequence."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import orjson
from assent_common import ids
from assent_common.events.envelope import CloudEvent
from assent_common.events.registry import ModelVersionObserved, Removed

from assent_catalog import search
from assent_catalog.projection import derived, lineage
from assent_catalog.projection.status import OF_CANDIDACIES

# A batch in one statement: every state into the history, the newest of each version into its row, with the status that
# follows from what is known of its candidacies, and for those that were not there their metrics and edges as well.
# What was there may have metrics and edges that this statement does not see, written by another transaction that it
# waited for: those are replaced by statements of their own. In the order of ids, so that two batches never wait for
# each other.
OBSERVE = f"""
with told as materialized (
    select id, urn, source, model, model_id, name, version, description, type, framework, algorithm, source_status,
           source_approval_status, metrics_status, content_hash, created_at, modified_at, record::jsonb as record,
           raw, words, sequence, at, newest
      from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::uuid[], $6::text[], $7::int[], $8::text[],
                  $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[],
                  $16::timestamptz[], $17::timestamptz[], $18::text[], $19::text[], $20::text[], $21::bigint[],
                  $22::timestamptz[], $23::bool[])
           as e(id, urn, source, model, model_id, name, version, description, type, framework, algorithm,
                source_status, source_approval_status, metrics_status, content_hash, created_at, modified_at, record,
                raw, words, sequence, at, newest)
), kept as (
    insert into model_version_history (urn, sequence, at, state) select urn, sequence, at, record from told
    on conflict do nothing
), written as (
    insert into model_versions as v
           (id, urn, source, model, model_id, name, version, description, type, framework, algorithm, source_status,
            source_approval_status, metrics_status, content_hash, created_at, modified_at, live, record, raw, search,
            sequence, changed_at, status, candidacies, changed_sequence)
    select t.id, urn, source, model, model_id, name, version, description, type, framework, algorithm, source_status,
           source_approval_status, metrics_status, content_hash, created_at, modified_at, live, record, raw::jsonb,
           to_tsvector('simple', words),
           sequence, at, case when live then coalesce(c.strongest, 'registered') else 'missing_from_source' end,
           coalesce(c.by_use_case, '{{}}'), 1
      from (select e.*, r.urn is null as live
              from told e left join removals r on r.urn = e.urn and r.sequence > e.sequence where newest) t
      left join ({OF_CANDIDACIES.format(versions="(select id, urn, created_at from told where newest)")}) c
             on c.id = t.id
     order by t.id
    on conflict (id) do update
       set source = excluded.source, model = excluded.model, model_id = excluded.model_id, name = excluded.name,
           version = excluded.version, description = excluded.description, type = excluded.type,
           framework = excluded.framework, algorithm = excluded.algorithm, source_status = excluded.source_status,
           source_approval_status = excluded.source_approval_status, metrics_status = excluded.metrics_status,
           content_hash = excluded.content_hash, created_at = excluded.created_at,
           modified_at = excluded.modified_at, live = excluded.live, record = excluded.record, raw = excluded.raw,
           search = excluded.search, sequence = excluded.sequence, changed_at = excluded.changed_at,
           status = excluded.status, candidacies = excluded.candidacies, changed_sequence = v.changed_sequence + 1
     where excluded.sequence > v.sequence
    returning v.id, v.urn, v.status, v.candidacies, v.changed_sequence
), fresh as (
    select t.id, t.urn, t.metrics_status, t.record, t.created_at
      from written w join told t on t.id = w.id and t.newest where w.changed_sequence = 1
), measured as (
    {derived.METRICS.format(versions="fresh")}
), led as (
    {derived.EDGES.format(versions="fresh")}
)
select id, urn, status, candidacies::text as candidacies, changed_sequence from written
"""  # noqa: S608 - made of constants
# Kept as it was last seen, but gone.
REMOVE = """
update model_versions v set live = false
  from removals r
 where r.urn = any($1::text[]) and v.urn = r.urn and v.sequence < r.sequence and v.live
returning v.id
"""
# All versions of a model have its urn.
_id_of_model = lru_cache(10_000)(ids.of_urn)
#: The source's own document is kept as it stands now alone.
_NOT_KEPT = {"raw"}


class Observation(NamedTuple):
    event: CloudEvent
    version: ModelVersionObserved


class Written(NamedTuple):
    """A version that is not what it was, and what was worked out for it."""

    observation: Observation
    id: UUID
    status: str
    #: Use case → status of the candidacy.
    candidacies: Mapping[str, str]
    changed_sequence: int


async def observed(connection: asyncpg.Connection, observations: Sequence[Observation]) -> list[Written]:
    """Those that are not what they were. What is known of candidacies and removals is written before."""
    if not observations:
        return []
    newest = {o.version.urn: o for o in sorted(observations, key=lambda o: o.event.number)}
    rows = [_values(observation, newest[observation.version.urn] is observation) for observation in observations]
    await lineage.keep_datasets(connection, {data.urn for _, version in observations for data in version.datasets})
    written = await connection.fetch(OBSERVE, *map(list, zip(*rows, strict=True)))
    if were_there := [row["id"] for row in written if row["changed_sequence"] > 1]:
        for statement in derived.REPLACE:
            await connection.execute(statement, were_there)
    return [
        Written(newest[urn], id_, status, orjson.loads(candidacies), changed_sequence)
        for id_, urn, status, candidacies, changed_sequence in written
    ]


async def removed(connection: asyncpg.Connection, events: Sequence[tuple[CloudEvent, Removed]]) -> set[UUID]:
    """The ids of those that are gone now."""
    if not events:
        return set()
    return {row["id"] for row in await connection.fetch(REMOVE, [gone.urn for _, gone in events])}


def _values(observation: Observation, newest: bool) -> tuple[Any, ...]:
    event, version = observation
    words = search.indexed(
        [version.name],
        *(version.description, version.type, version.framework, version.algorithm, version.urn),
        *(*version.tags.values(), *version.properties.values()),
    )
    return (
        *(ids.of_urn(version.urn), version.urn, version.source, version.model),
        *(_id_of_model(version.model) if version.model else None, version.name, version.version, version.description),
        *(version.type, version.framework, version.algorithm, version.source_status, version.source_approval_status),
        *(version.metrics_status, version.content_hash, version.created_at, version.modified_at),
        version.model_dump_json(exclude=_NOT_KEPT),
        orjson.dumps(version.raw).decode() if newest and version.raw is not None else None,
        *(words[:20_000], event.number, event.time, newest),
    )
