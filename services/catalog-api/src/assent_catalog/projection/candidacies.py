"""What the workflow says of candidacies, as rows."""

from collections.abc import Sequence

import asyncpg
from assent_common.events.envelope import CloudEvent
from assent_common.events.governance import CandidacyChanged

UPSERT = """
insert into candidacies as c
       (id, use_case, model_version, version_created_at, status, record, changed_at, sequence)
select id, use_case, model_version, version_created_at, status, record::jsonb, changed_at, sequence
  from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::text[], $7::timestamptz[],
              $8::bigint[])
       as e(id, use_case, model_version, version_created_at, status, record, changed_at, sequence)
 order by id
on conflict (id) do update
   set status = excluded.status, record = excluded.record, changed_at = excluded.changed_at,
       sequence = excluded.sequence
 where excluded.sequence > c.sequence
returning model_version
"""
KEEP = """
insert into candidacy_history (candidacy, sequence, model_version, at, record)
select candidacy, sequence, model_version, at, record::jsonb
  from unnest($1::uuid[], $2::bigint[], $3::text[], $4::timestamptz[], $5::text[])
       as e(candidacy, sequence, model_version, at, record)
on conflict do nothing
"""


async def changed(connection: asyncpg.Connection, events: Sequence[tuple[CloudEvent, CandidacyChanged]]) -> set[str]:
    """The urns of model versions whose candidacies are not what they were."""
    if not events:
        return set()
    states = [
        (candidacy.id, event.number, candidacy.model_version, candidacy.changed_at, candidacy.model_dump_json())
        for event, candidacy in events
    ]
    await connection.execute(KEEP, *map(list, zip(*states, strict=True)))
    newest = {
        candidacy.id: (
            *(candidacy.id, candidacy.use_case, candidacy.model_version, candidacy.version_created_at),
            *(candidacy.status, candidacy.model_dump_json(), candidacy.changed_at, event.number),
        )
        for event, candidacy in sorted(events, key=lambda pair: pair[0].number)
    }
    rows = await connection.fetch(UPSERT, *map(list, zip(*newest.values(), strict=True)))
    return {row["model_version"] for row in rows}
