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
select id, urn, source, name, true, created_at, record::jsonb, raw::jsonb, sequence
  from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::text[], $8::bigint[])
       as e(id, urn, source, name, created_at, record, raw, sequence)
 order by id
on conflict (id) do update
   set source = excluded.source, name = excluded.name, live = true, created_at = excluded.created_at,
       record = excluded.record, raw = excluded.raw, sequence = excluded.sequence
 where excluded.sequence > m.sequence
"""
REMOVE_MODELS = """
insert into models as m (id, urn, source, name, live, created_at, record, sequence)
select id, urn, source, urn, false, removed_at, '{}', sequence
  from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::bigint[])
       as e(id, urn, source, removed_at, sequence)
 order by id
on conflict (id) do update set live = false, sequence = excluded.sequence where excluded.sequence > m.sequence
"""
UPSERT_DEPLOYMENTS = """
insert into deployments as d
       (id, urn, source, kind, name, variant, model_version, status, live, created_at, modified_at, raw, sequence)
select id, urn, source, kind, name, variant, model_version, status, true, created_at, modified_at, raw::jsonb, sequence
  from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
              $9::timestamptz[], $10::timestamptz[], $11::text[], $12::bigint[])
       as e(id, urn, source, kind, name, variant, model_version, status, created_at, modified_at, raw, sequence)
 order by id
on conflict (id) do update
   set source = excluded.source, kind = excluded.kind, name = excluded.name, variant = excluded.variant,
       model_version = excluded.model_version, status = excluded.status, live = true, created_at = excluded.created_at,
       modified_at = excluded.modified_at, raw = excluded.raw, sequence = excluded.sequence
 where excluded.sequence > d.sequence
"""
REMOVE_DEPLOYMENTS = """
insert into deployments as d (id, urn, source, kind, name, live, created_at, sequence)
select id, urn, source, 'unknown', urn, false, removed_at, sequence
  from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::bigint[])
       as e(id, urn, source, removed_at, sequence)
 order by id
on conflict (id) do update set live = false, sequence = excluded.sequence where excluded.sequence > d.sequence
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
            *(served.model_version, served.status, served.created_at, served.modified_at, _json(served.raw)),
            event.number,
        )
        for event, served in sorted(events, key=lambda pair: pair[0].number)
    }
    await _write(connection, UPSERT_DEPLOYMENTS, newest)


async def removed(connection: asyncpg.Connection, events: Sequence[tuple[CloudEvent, Removed]], statement: str) -> None:
    newest = {
        gone.urn: (ids.of_urn(gone.urn), gone.urn, gone.source, gone.removed_at, event.number)
        for event, gone in sorted(events, key=lambda pair: pair[0].number)
    }
    await _write(connection, statement, newest)


async def _write(connection: asyncpg.Connection, statement: str, newest: dict[str, tuple[Any, ...]]) -> None:
    if newest:
        await connection.execute(statement, *map(list, zip(*newest.values(), strict=True)))


def _json(value: Any) -> str | None:
    return orjson.dumps(value).decode() if value is not None else None
