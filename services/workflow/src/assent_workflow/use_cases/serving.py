"""What serves for a use case, and what of it has to be switched off where the use case is given up."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from assent_workflow.findings.rules import CLOSED_STAGES, NOT_SERVING

# By the newest candidacy of each version as it is now: what it was put forward for before is over, and so is what stood
# for another of the same name. Withdrawn, it never ran for this. That it is accepted for another use case which goes on
# is a reason to leave it on. Index: candidacies_use_case, candidacies_model_version, deployments_serving.
SERVING = """
select c.id, c.model_version, c.status, c.reason, d.deployments, o.accepted_for
  from (select distinct on (a.model_version) a.*
          from candidacies a join model_versions v on v.urn = a.model_version
         where a.use_case = $1 and a.use_case_id = $2 and a.status <> 'withdrawn' and a.step_to is null
           and abs(extract(epoch from a.version_created_at - v.created_at)) < 1
         order by a.model_version, a.id desc) c
  cross join lateral (
    select coalesce(jsonb_agg(jsonb_build_object('urn', d.urn, 'kind', d.kind, 'name', d.name, 'status', d.status)
                              order by d.urn), '[]') as deployments
      from deployments d
     where d.live and d.model_versions && array[c.model_version] and coalesce(d.status, '') <> all($3::text[])) d
  cross join lateral (
    select coalesce(array_agg(o.use_case order by o.use_case), '{}') as accepted_for
      from candidacies o join use_cases u on u.id = o.use_case_id
     where o.model_version = c.model_version and o.use_case_id <> $2 and o.status = 'accepted'
       and u.stage <> all($4::text[])) o
 where ($5::uuid is null or c.id < $5)
   and (d.deployments <> '[]' or (c.status = 'accepted' and not $6))
   and (o.accepted_for = '{}' or not $6)
 order by c.id desc limit $7
"""
#: A use case that is given up names no more than these: some are enough to say that it is not yet.
MOST = 200


@dataclass(frozen=True)
class Serves:
    """A model version that is accepted for the use case, or serves and once was put forward for it."""

    candidacy: UUID
    model_version: str
    status: str
    reason: str | None
    #: What serves it now.
    deployments: list[Mapping[str, Any]]
    #: Other use cases that it is accepted for: for their sake it may go on.
    accepted_for: list[str]

    @property
    def switch_off(self) -> bool:
        return bool(self.deployments) and not self.accepted_for


async def serving(
    connection: asyncpg.Connection, key: str, id_: UUID, *, before: UUID | None, limit: int
) -> list[Serves]:
    """The newest candidacies first, of those before one."""
    return await _read(connection, key, id_, before, False, limit)


async def to_switch_off(connection: asyncpg.Connection, key: str, id_: UUID) -> list[str]:
    """The deployments that serve for it, and for no other use case."""
    rows = await _read(connection, key, id_, None, True, MOST)
    return sorted({each["urn"] for row in rows for each in row.deployments})[:MOST]


async def _read(
    connection: asyncpg.Connection, key: str, id_: UUID, before: UUID | None, only_to_switch_off: bool, limit: int
) -> list[Serves]:
    how = (list(NOT_SERVING), list(CLOSED_STAGES), before, only_to_switch_off, limit)
    rows = await connection.fetch(SERVING, key, id_, *how)
    return [
        Serves(
            *(row["id"], row["model_version"], row["status"], row["reason"], row["deployments"], row["accepted_for"])
        )
        for row in rows
    ]
