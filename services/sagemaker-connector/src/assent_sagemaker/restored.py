"""The database is older than what was told from it: SageMaker itself says what is so, and is read whole."""

from collections.abc import Mapping, Sequence

from assent_common.events.envelope import CloudEvent
from assent_common.events.model import Payload
from assent_common.events.registry import DeploymentObserved, Kind, ModelObserved, ModelVersionObserved
from assent_common.uow import UnitOfWork

from assent_sagemaker import arns
from assent_sagemaker.reports import Reports

# As if nothing of it had been read: whatever is found is told.
FORGET_READING = """
update records set hash = '', document_hash = '', summary_hash = null where urn = any($1::text[]) returning urn
"""
# Others know it, so it has to be found again, or found missing by two complete listings.
REMEMBER = """
insert into records (key, urn, source, kind, hash, document, document_hash, tags, artifacts, reports, reports_attempts,
                     sequence, live, created_at, changed_at)
select key, urn, source, kind, '', '{}', '', '{}', '[]', $6::json, 0, 0, true, created_at, now()
  from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])
       as o(key, urn, source, kind, created_at)
on conflict (key) do nothing
"""
READ_WHOLE = "update sources set full_due_at = null, read_as = null"

_KINDS: Mapping[type[Payload], Kind] = {
    ModelObserved: Kind.MODEL,
    ModelVersionObserved: Kind.MODEL_VERSION,
    DeploymentObserved: Kind.DEPLOYMENT,
}


async def reconcile(uow: UnitOfWork, events: Sequence[CloudEvent]) -> frozenset[str]:
    """Nothing is told of these until they are read again: an older state of a version would look like a change."""
    connection = await uow.sql()
    urns = [event.subject for event in events]
    known = {row["urn"] for row in await connection.fetch(FORGET_READING, urns)}
    unknown = [
        (arns.key(seen.urn), seen.urn, seen.source, _KINDS[type(seen)], seen.created_at)
        for seen in (event.payload for event in events)
        if isinstance(seen, ModelObserved | ModelVersionObserved | DeploymentObserved) and seen.urn not in known
    ]
    if unknown:
        await connection.execute(REMEMBER, *map(list, zip(*unknown, strict=True)), Reports().written())
    await connection.execute(READ_WHOLE)
    return frozenset(urns)
