"""What follows for a model version: its status, and the event that tells everybody."""

from collections.abc import Collection, Mapping
from uuid import UUID

from assent_common import telemetry
from assent_common.events.catalog import ModelVersionChanged
from assent_common.events.envelope import CloudEvent
from assent_common.kafka.topics import CATALOG
from assent_common.uow import UnitOfWork

# The strongest candidacy is the version's status, unless its source no longer has it. One of an earlier version under
# the same urn does not count (sources tell the time of making with and without its fraction).
# A version whose record changed ($1) is told of in any case; one whose candidacies changed ($2) only if that changed
# something here.
# Index: candidacies_model_version.
SETTLE = """
with touched as (
    select id, urn, live, created_at from model_versions where id = any($1::uuid[]) or urn = any($2::text[])
     order by id for update
), settled as (
    select t.id,
           case when t.live then coalesce(c.strongest, 'registered') else 'missing_from_source' end as status,
           coalesce(c.by_use_case, '{}') as candidacies
      from touched t
      left join lateral (
          select (array_agg(status order by array_position(
                      array['accepted', 'suspended', 'under_review', 'candidate', 'rejected', 'retired', 'withdrawn'],
                      status)))[1] as strongest,
                 jsonb_object_agg(use_case, status order by id) as by_use_case
            from candidacies
           where model_version = t.urn
             and (version_created_at is null or abs(extract(epoch from version_created_at - t.created_at)) < 1)
      ) c on true
)
update model_versions v
   set status = s.status, candidacies = s.candidacies, changed_sequence = v.changed_sequence + 1
  from settled s
 where v.id = s.id
   and (v.id = any($1::uuid[]) or v.status <> s.status or v.candidacies <> s.candidacies)
returning v.id, v.urn, v.source, v.model, v.name, v.version, v.status, v.candidacies, v.description, v.type,
          v.framework, v.algorithm, v.metrics_status, v.source_status, v.source_approval_status, v.content_hash,
          v.created_at, v.modified_at, v.changed_sequence,
          (select coalesce(jsonb_object_agg(m.name, m.value), '{}') from metrics m where m.model_version = v.id)
          as metric_values
"""


async def settle(
    uow: UnitOfWork, versions: Collection[UUID], candidates: Collection[str], causes: Mapping[str, CloudEvent]
) -> None:
    """Bring the status of these up to date and tell it, each in the name of the event that caused it."""
    if not versions and not candidates:
        return
    connection = await uow.sql()
    for row in await connection.fetch(SETTLE, list(versions), list(candidates)):
        cause = causes[row["urn"]]
        with telemetry.caused_by(cause):
            uow.emit(
                CATALOG,
                "assent.catalog.model_version.changed.v1",
                row["urn"],
                row["changed_sequence"],
                ModelVersionChanged.model_validate({**row, "metrics": row["metric_values"]}),
                scope=row["source"],
            )
