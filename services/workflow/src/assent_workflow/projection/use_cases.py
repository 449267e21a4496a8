"""What the catalogue says of use cases, as rows."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg
import orjson
from assent_common.events.catalog import UseCaseChanged
from assent_common.events.envelope import CloudEvent

UPSERT = """
insert into use_cases as u (id, key, name, stage, facets, completeness, links, proposal, sequence)
select id, key, name, stage, facets::jsonb, completeness::jsonb, links::jsonb, proposal::jsonb, sequence
  from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
              $9::bigint[])
       as e(id, key, name, stage, facets, completeness, links, proposal, sequence)
 order by id
on conflict (id) do update
   set key = excluded.key, name = excluded.name, stage = excluded.stage, facets = excluded.facets,
       completeness = excluded.completeness, links = excluded.links, proposal = excluded.proposal,
       sequence = excluded.sequence
 where excluded.sequence > u.sequence
returning id
"""


async def changed(connection: asyncpg.Connection, events: Sequence[tuple[CloudEvent, UseCaseChanged]]) -> list[UUID]:
    """The ids of use cases that are not what they were."""
    newest = {}
    for event, use_case in sorted(events, key=lambda pair: pair[0].number):
        newest[use_case.id] = (
            *(use_case.id, use_case.key, use_case.name, use_case.stage.value),
            orjson.dumps(use_case.facets).decode(),
            orjson.dumps({name: facet.model_dump() for name, facet in use_case.completeness.items()}).decode(),
            orjson.dumps([link.model_dump(mode="json", exclude_none=True) for link in use_case.links]).decode(),
            use_case.proposal.model_dump_json() if use_case.proposal else None,
            event.number,
        )
    if not newest:
        return []
    return [row["id"] for row in await connection.fetch(UPSERT, *map(list, zip(*newest.values(), strict=True)))]
