"""What the workflow last said of each candidacy, whatever came twice, late or out of order."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
from assent_common.events.envelope import CloudEvent
from assent_common.events.governance import CandidacyChanged, CandidacyStatus

from assent_sagemaker import arns
from assent_sagemaker.desire import Candidacy

# A candidacy that was heard of already, in this state or a later one, changes nothing.
HEAR = """
insert into candidacies as c (id, key, urn, use_case, status, reason, content_hash, review, version_created_at,
                              changed_by, changed_at, accepted_once, sequence)
select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::uuid[],
                     $9::timestamptz[], $10::text[], $11::timestamptz[], $12::boolean[], $13::bigint[]) as e(id)
 order by e.id
on conflict (id) do update
   set status = excluded.status, reason = excluded.reason, content_hash = excluded.content_hash,
       review = excluded.review, version_created_at = excluded.version_created_at, changed_by = excluded.changed_by,
       changed_at = excluded.changed_at, accepted_once = c.accepted_once or excluded.accepted_once,
       sequence = excluded.sequence
 where excluded.sequence > c.sequence
returning id
"""
# An acceptance counts also when it is heard of after what followed it.
ACCEPTED_ONCE = (
    "update candidacies set accepted_once = true where id = any($1::uuid[]) and not accepted_once returning id"
)
# Index: candidacies_key.
OF_VERSIONS = "select * from candidacies where key = any($1::text[])"


async def hear(connection: asyncpg.Connection, events: Sequence[CloudEvent]) -> dict[str, CloudEvent]:
    """Keep what is new. The keys of the versions concerned, each with the event that concerns it."""
    newest: dict[UUID, tuple[CloudEvent, CandidacyChanged]] = {}
    accepted = set()
    for event in events:
        said = event.payload
        if isinstance(said, CandidacyChanged):
            if said.id not in newest or event.number > newest[said.id][0].number:
                newest[said.id] = event, said
            if _was_accepted(said):
                accepted.add(said.id)
    if not newest:
        return {}
    rows = [
        (
            *(said.id, arns.key(said.model_version), said.model_version, said.use_case, said.status.value),
            *(said.reason, said.content_hash, said.review, said.version_created_at, said.changed_by, said.changed_at),
            *(said.id in accepted, event.number),
        )
        for event, said in newest.values()
    ]
    changed = await connection.fetch(HEAR, *map(list, zip(*rows, strict=True)))
    changed += await connection.fetch(ACCEPTED_ONCE, sorted(accepted))
    told = [newest[row["id"]] for row in changed]
    return {arns.key(said.model_version): event for event, said in told}


async def of_versions(
    connection: asyncpg.Connection, created_at: Mapping[str, datetime | None]
) -> dict[str, list[Candidacy]]:
    """By key, of the versions that were made then: those of another version under the same ARN do not count."""
    found: dict[str, list[Candidacy]] = {key: [] for key in created_at}
    for row in await connection.fetch(OF_VERSIONS, list(created_at)):
        of, seen = row["version_created_at"], created_at[row["key"]]
        if of is None or seen is None or of == seen:
            found[row["key"]].append(_candidacy(row))
    return found


def _was_accepted(said: CandidacyChanged) -> bool:
    """Acceptances may have been compacted away: what was suspended, or has an end, was accepted once."""
    return said.status in (CandidacyStatus.ACCEPTED, CandidacyStatus.SUSPENDED) or said.expires_at is not None


def _candidacy(row: asyncpg.Record) -> Candidacy:
    return Candidacy(
        id=row["id"],
        urn=row["urn"],
        use_case=row["use_case"],
        status=CandidacyStatus(row["status"]),
        reason=row["reason"],
        content_hash=row["content_hash"],
        review=row["review"],
        changed_by=row["changed_by"],
        changed_at=row["changed_at"],
        accepted_once=row["accepted_once"],
    )
