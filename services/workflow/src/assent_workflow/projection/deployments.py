"""What serves which model versions, as rows: guarded by sequence."""

from collections.abc import Sequence
from typing import NamedTuple

import asyncpg
import orjson
from assent_common.events.envelope import CloudEvent
from assent_common.events.registry import DeploymentObserved, Removed

UPSERT = """
insert into deployments as d
       (urn, source, live, kind, name, status, model_versions, monitors, sequence)
select urn, source, true, kind, name, status, array(select jsonb_array_elements_text(model_versions::jsonb)),
       monitors::jsonb, sequence
  from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[])
       as e(urn, source, kind, name, status, model_versions, monitors, sequence)
 order by urn
on conflict (urn) do update
   set source = excluded.source, live = true, kind = excluded.kind, name = excluded.name, status = excluded.status,
       model_versions = excluded.model_versions, monitors = excluded.monitors, sequence = excluded.sequence
 where excluded.sequence > d.sequence
returning urn
"""
# What was never seen here is kept as gone, too: an observation that comes late must not bring it to life.
REMOVE = """
insert into deployments as d (urn, source, live, kind, name, model_versions, monitors, sequence)
select urn, source, false, '', '', '{}', '[]', sequence
  from unnest($1::text[], $2::text[], $3::bigint[]) as e(urn, source, sequence)
 order by urn
on conflict (urn) do update set live = false, sequence = excluded.sequence
 where excluded.sequence > d.sequence
returning urn
"""
SERVED = "select unnest(model_versions) as urn from deployments where urn = any($1::text[])"


class Deployed(NamedTuple):
    event: CloudEvent
    deployment: DeploymentObserved

    @property
    def versions(self) -> list[str]:
        """Everything that it serves, each once."""
        first = [self.deployment.model_version] if self.deployment.model_version else []
        return list(dict.fromkeys(first + self.deployment.model_versions))


async def served(connection: asyncpg.Connection, urns: Sequence[str]) -> set[str]:
    """The model versions that these served so far."""
    return {row["urn"] for row in await connection.fetch(SERVED, list(urns))} if urns else set()


async def observed(connection: asyncpg.Connection, observations: Sequence[Deployed]) -> list[str]:
    """The urns that are not what they were."""
    newest = {each.deployment.urn: each for each in sorted(observations, key=lambda each: each.event.number)}
    rows = [
        (
            *(each.deployment.urn, each.deployment.source, each.deployment.kind, each.deployment.name),
            *(each.deployment.status, orjson.dumps(each.versions).decode()),
            orjson.dumps([monitor.model_dump(mode="json") for monitor in each.deployment.monitors]).decode(),
            each.event.number,
        )
        for each in newest.values()
    ]
    if not rows:
        return []
    return [row["urn"] for row in await connection.fetch(UPSERT, *map(list, zip(*rows, strict=True)))]


async def removed(connection: asyncpg.Connection, events: Sequence[tuple[CloudEvent, Removed]]) -> list[str]:
    newest = {
        gone.urn: (gone.urn, gone.source, event.number)
        for event, gone in sorted(events, key=lambda pair: pair[0].number)
    }
    if not newest:
        return []
    return [row["urn"] for row in await connection.fetch(REMOVE, *map(list, zip(*newest.values(), strict=True)))]
