"""What follows for a model version: its status, and the event that tells everybody."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any
from uuid import UUID

from assent_common import telemetry
from assent_common.events.catalog import ModelVersionChanged
from assent_common.events.envelope import CloudEvent
from assent_common.kafka.topics import CATALOG
from assent_common.uow import UnitOfWork

from assent_catalog.projection.model_versions import Written
from assent_catalog.projection.status import OF_CANDIDACIES

# A version that is gone ($1) is told of in any case; one whose candidacies changed ($2) only if that changed something
# here.
SETTLE = f"""
with touched as (
    select id, urn, live, created_at from model_versions where id = any($1::uuid[]) or urn = any($2::text[])
     order by id for update
), settled as (
    select t.id,
           case when t.live then coalesce(c.strongest, 'registered') else 'missing_from_source' end as status,
           coalesce(c.by_use_case, '{{}}') as candidacies
      from touched t
      left join ({OF_CANDIDACIES.format(versions="touched")}) c on c.id = t.id
)
update model_versions v
   set status = s.status, candidacies = s.candidacies, changed_sequence = v.changed_sequence + 1
  from settled s
 where v.id = s.id
   and (v.id = any($1::uuid[]) or v.status <> s.status or v.candidacies <> s.candidacies)
returning v.id, v.urn, v.source, v.model, v.name, v.version, v.status, v.candidacies, v.description, v.type,
          v.framework, v.algorithm, v.metrics_status, v.source_status, v.source_approval_status, v.content_hash,
          v.created_at, v.modified_at, v.changed_sequence,
          (select coalesce(jsonb_object_agg(m.name, m.value), '{{}}') from metrics m where m.model_version = v.id)
          as metric_values
"""  # noqa: S608 - made of constants

_TYPE = "assent.catalog.model_version.changed.v1"


def observed(uow: UnitOfWork, written: Iterable[Written]) -> None:
    """What the registry told, each in the name of the event that told it."""
    for (event, version), id_, status, candidacies, sequence in written:
        _tell(
            uow,
            {
                **vars(version),
                "id": id_,
                "status": status,
                "candidacies": candidacies,
                "metrics": {name: metric.value for name, metric in version.metrics.items()},
            },
            sequence,
            event,
        )


async def settle(
    uow: UnitOfWork, gone: Collection[UUID], candidates: Collection[str], causes: Mapping[str, CloudEvent]
) -> None:
    """Bring the status of these up to date and tell it, each in the name of the event that caused it."""
    if not gone and not candidates:
        return
    connection = await uow.sql()
    for row in await connection.fetch(SETTLE, list(gone), list(candidates)):
        state = {**row, "metrics": row["metric_values"]}
        _tell(uow, state, row["changed_sequence"], causes[row["urn"]])


def _tell(uow: UnitOfWork, state: Mapping[str, Any], sequence: int, cause: CloudEvent) -> None:
    changed = ModelVersionChanged.model_validate(state)
    uow.emit(*(CATALOG, _TYPE, changed.urn, sequence, changed), scope=changed.source, cause=telemetry.passed_on(cause))
