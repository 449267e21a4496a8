"""What the registry says of models and deployments, as rows."""

from collections.abc import Sequence
from typing import Any

import asyncpg
import orjson
from assent_common import ids
from assent_common.events.envelope import CloudEvent
from assent_common.events.registry import DeploymentObserved, ModelObserved, Removed

UPSERT_MODELS = """
insert into models as m (id, urn, source, name, live, created_at, record, raw, sequence)
select id, urn, source, name, not exists (select from removals r where r.urn = e.urn and r.sequence > e.sequence),
       created_at, record::jsonb, raw::jsonb, sequence
  from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::text[], $8::bigint[])
       as e(id, urn, source, name, created_at, record, raw, sequence)
 order by id
on conflict (id) do update
   set source = excluded.source, name = excluded.name, live = excluded.live, created_at = excluded.created_at,
       record = excluded.record, raw = excluded.raw, sequence = excluded.sequence
 where excluded.sequence > m.sequence
"""
REMOVE_MODELS = """
update models m set live = false
  from removals r
 where r.urn = any($1::text[]) and m.urn = r.urn and m.sequence < r.sequence and m.live
"""
UPSERT_DEPLOYMENTS = """
insert into deployments as d
       (id, urn, source, kind, name, variant, model_version, status, live, created_at, modified_at, record, raw,
        sequence)
select id, urn, source, kind, name, variant, model_version, status,
       not exists (select from removals r where r.urn = e.urn and r.sequence > e.sequence), created_at, modified_at,
       record::jsonb, raw::jsonb, sequence
  from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
              $9::timestamptz[], $10::timestamptz[], $11::text[], $12::text[], $13::bigint[])
       as e(id, urn, source, kind, name, variant, model_version, status, created_at, modified_at, record, raw, sequence)
 order by id
on conflict (id) do update
   set source = excluded.source, kind = excluded.kind, name = excluded.name, variant = excluded.variant,
       model_version = excluded.model_version, status = excluded.status, live = excluded.live,
       created_at = excluded.created_at, modified_at = excluded.modified_at, record = excluded.record,
       raw = excluded.raw, sequence = excluded.sequence
 where excluded.sequence > d.sequence
"""
REMOVE_DEPLOYMENTS = """
update deployments d set live = false
  from removals r
 where r.urn = any($1::text[]) and d.urn = r.urn and d.sequence < r.sequence and d.live
"""


async def models(connection: asyncpg.Connection, events: Sequence[tuple[CloudEvent, ModelObserved]]) -> None:
    newest = {
        model.urn: (
            *(ids.of_urn(model.urn), model.urn, model.source, model.name, model.created_at),
            *(model.model_dump_json(exclude={"raw"}), _json(model.raw), event.number),
        )
        for event, model in sorted(events, key=lambda pair: pair[0].number)
    }
    await _write(connection, UPSERT_MODELS, newest)


async def deployments(connection: asyncpg.Connection, events: Sequence[tuple[CloudEvent, DeploymentObserved]]) -> None:
    newest = {
        served.urn: (
            *(ids.of_urn(served.urn), served.urn, served.source, served.kind, served.name, served.variant),
            *(served.model_version, served.status, served.created_at, served.modified_at),
            *(served.model_dump_json(exclude={"raw"}), _json(served.raw), event.number),
        )
        for event, served in sorted(events, key=lambda pair: pair[0].number)
    }
    await _write(connection, UPSERT_DEPLOYMENTS, newest)


async def removed(connection: asyncpg.Connection, events: Sequence[tuple[CloudEvent, Removed]], statement: str) -> None:
    if events:
        await connection.execute(statement, [gone.urn for _, gone in events])


async def _write(connection: asyncpg.Connection, statement: str, newest: dict[str, tuple[Any, ...]]) -> None:
    if newest:
        await connection.execute(statement, *map(list, zip(*newest.values(), strict=True)))


def _json(value: Any) -> str | None:
    return orjson.dumps(value).decode() if value is not None else None
