"""The database is older than what was told from it: nothing stands here that was taken away meanwhile, neither an
acceptance nor that somebody stands in."""

from collections.abc import Mapping, Sequence
from uuid import UUID

import asyncpg
from assent_common.actors import ASSENT
from assent_common.events.envelope import CloudEvent, UnreadableEvent
from assent_common.events.governance import (
    CandidacyChanged,
    CandidacyStatus,
    DelegationChanged,
    FindingChanged,
    ReviewRequested,
    StepChanged,
    StepStatus,
    TaskChanged,
    TaskStatus,
)
from assent_common.events.model import Payload
from assent_common.kafka.topics import GOVERNANCE
from assent_common.uow import UnitOfWork

from assent_workflow.candidacies import store
from assent_workflow.candidacies.end import end
from assent_workflow.candidacies.model import Matter, Trigger
from assent_workflow.delegations import store as delegations

LOST = "it was put forward after the backup that was restored: put it forward anew"
KNOWN = """
select e.id from unnest($1::uuid[]) as e(id)
 where exists (select from candidacies where id = e.id) or exists (select from reviews where id = e.id)
    or exists (select from tasks where id = e.id) or exists (select from findings where id = e.id)
    or exists (select from delegations where id = e.id)
"""
#: How what is not known any more ends for everybody else.
_ENDED = {
    CandidacyStatus.CANDIDATE: CandidacyStatus.WITHDRAWN,
    CandidacyStatus.UNDER_REVIEW: CandidacyStatus.WITHDRAWN,
    CandidacyStatus.ACCEPTED: CandidacyStatus.RETIRED,
    CandidacyStatus.SUSPENDED: CandidacyStatus.RETIRED,
    CandidacyStatus.REJECTED: CandidacyStatus.RETIRED,
}
_STEP_ENDED = {
    StepStatus.UNDER_REVIEW: StepStatus.WITHDRAWN,
    StepStatus.ACCEPTED: StepStatus.RETIRED,
    StepStatus.SUSPENDED: StepStatus.RETIRED,
    StepStatus.REJECTED: StepStatus.RETIRED,
}


async def reconcile(uow: UnitOfWork, events: Sequence[CloudEvent]) -> frozenset[str]:
    """Suspend what is accepted here and was not in the end, revoke what was revoked; let go, for all others, of what
    nobody knows any more.

    What was accepted after the backup and is not here was accepted in vain: people have to say so again.
    """
    connection = await uow.sql()
    told = [(event, payload) for event in events if (payload := _payload(event)) is not None]
    said = {payload.id: payload for _, payload in told if isinstance(payload, CandidacyChanged | StepChanged)}
    standing = {candidacy.id: candidacy for candidacy in await store.lock(connection, list(said))}
    for id_, candidacy in standing.items():
        if candidacy.status is CandidacyStatus.ACCEPTED and not _stood(candidacy, said[id_]):
            await end(uow, id_, Trigger.SUSPEND, by=ASSENT, reason=_why(said[id_]))
    for _, payload in told:
        if isinstance(payload, DelegationChanged) and payload.revoked_at is not None:
            await _revoke(uow, payload)
    known = await _known(connection, told)
    for event, payload in told:
        if event.subject not in known and (ended := _ended(payload, uow)) is not None:
            uow.emit(GOVERNANCE, event.type, event.subject, 1, ended)
    return frozenset()


def _payload(event: CloudEvent) -> Payload | None:
    try:
        return event.payload
    except (UnreadableEvent, LookupError, ValueError):
        return None


def _stood(candidacy: Matter, said: CandidacyChanged | StepChanged) -> bool:
    """Whether the last that was told of it is the acceptance that is here."""
    is_it = (said.review, said.content_hash) == (candidacy.review, candidacy.content_hash)
    return said.status.value == CandidacyStatus.ACCEPTED.value and is_it


def _why(said: CandidacyChanged | StepChanged) -> str:
    because = f": {said.reason}" if said.reason else ""
    after = f"{said.changed_by} left it {said.status.replace('_', ' ')} at {said.changed_at.isoformat()}{because}"
    return f"a backup was restored in which it was accepted; after that {after}"


async def _revoke(uow: UnitOfWork, said: DelegationChanged) -> None:
    delegation = await delegations.lock(await uow.sql(), said.id)
    if delegation is None or delegation.revoked_at is not None:
        return
    reason = f"a backup was restored in which it held; {said.changed_by} revoked it at {said.revoked_at:%Y-%m-%d %H:%M}"
    await delegations.revoke(uow, delegation, by=ASSENT, reason=reason)


async def _known(connection: asyncpg.Connection, told: Sequence[tuple[CloudEvent, Payload]]) -> set[str]:
    ids: Mapping[UUID, str] = {_id(payload): event.subject for event, payload in told if hasattr(payload, "id")}
    return {ids[row["id"]] for row in await connection.fetch(KNOWN, list(ids))}


def _id(payload: Payload) -> UUID:
    id_: UUID = getattr(payload, "id")  # noqa: B009 - of each payload of this topic
    return id_


def _ended(payload: Payload, uow: UnitOfWork) -> Payload | None:
    match payload:
        case CandidacyChanged() if payload.status in _ENDED:
            ended = {"status": _ENDED[payload.status], "reason": LOST, "changed_by": ASSENT}
            return payload.model_copy(update={**ended, "changed_at": uow.clock.now()})
        case StepChanged() if payload.status in _STEP_ENDED:
            # Where the catalogue still waits for it, whoever wants it proposes it anew.
            ended = {"status": _STEP_ENDED[payload.status], "reason": LOST, "changed_by": ASSENT}
            return payload.model_copy(update={**ended, "changed_at": uow.clock.now(), "expires_at": None})
        case ReviewRequested(status="open"):
            return payload.model_copy(update={"status": "cancelled", "ended_at": uow.clock.now()})
        case TaskChanged(status=TaskStatus.OPEN):
            return payload.model_copy(update={"status": TaskStatus.CANCELLED})
        case DelegationChanged(revoked_at=None) if payload.ends_at > uow.clock.now():
            return payload.model_copy(update={"revoked_at": uow.clock.now(), "changed_by": ASSENT})
        case FindingChanged() if payload.status != "resolved":
            resolved = {"status": "resolved", "resolved_at": uow.clock.now(), "reason": LOST, "changed_by": ASSENT}
            return payload.model_copy(update=resolved)
    return None
