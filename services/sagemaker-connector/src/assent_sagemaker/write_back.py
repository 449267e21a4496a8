"""Decisions back to SageMaker: what it should say of a model version, and saying it.

What is wanted is worked out from the candidacies alone, in the transaction that learns of them; a duty does it later,
again after any failure, and checks what is there before it writes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
from assent_common import ids, telemetry
from assent_common.events.envelope import CloudEvent
from assent_common.events.governance import CandidacyChanged, CandidacyStatus
from assent_common.uow import UnitOfWork

from assent_sagemaker import arns
from assent_sagemaker.aws.update import Approval

# A candidacy that was heard of already, in this state or a later one, changes nothing. Acceptances may have been
# compacted away: what was suspended, or has an end, was accepted once.
HEAR = """
insert into candidacies as c (id, key, urn, use_case, status, reason, content_hash, changed_by, changed_at,
                              accepted_once, sequence)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
on conflict (id) do update
   set status = excluded.status, reason = excluded.reason, content_hash = excluded.content_hash,
       changed_by = excluded.changed_by, changed_at = excluded.changed_at,
       accepted_once = c.accepted_once or excluded.accepted_once, sequence = excluded.sequence
 where excluded.sequence > c.sequence
returning key
"""
# Candidacies of one version come in several partitions: who works out its desire does so alone.
LOCK = "select pg_advisory_xact_lock(hashtextextended('write-back ' || $1, 0))"
OF_VERSION = "select * from candidacies where key = $1 order by id"
WANTED = "select * from write_backs where key = $1"
WANT = """
insert into write_backs as w (key, urn, candidacy, use_case, desired, description, content_hash, revision, state,
                              attempts, next_attempt_at, requested_at, correlation_id, traceparent)
values ($1, $2, $3, $4, $5, $6, $7, 1, 'pending', 0, $8, $8, $9, $10)
on conflict (key) do update
   set candidacy = excluded.candidacy, use_case = excluded.use_case, desired = excluded.desired,
       description = excluded.description, content_hash = excluded.content_hash, revision = w.revision + 1,
       state = 'pending', attempts = 0, next_attempt_at = excluded.next_attempt_at, last_error = null,
       requested_at = excluded.requested_at, finished_at = null, correlation_id = excluded.correlation_id,
       traceparent = excluded.traceparent
"""
LET_GO = "update write_backs set state = 'void', revision = revision + 1, finished_at = $2 where key = $1"
# Index: write_backs_pending.
DUE = """
select w.* from write_backs w join records r on r.key = w.key
 where w.state = 'pending' and w.next_attempt_at <= $2 and r.source = $1
 order by w.next_attempt_at limit 20
"""
PENDING = """
select exists (select from write_backs w join records r on r.key = w.key where w.state = 'pending' and r.source = $1)
"""
ATTEMPT = """
update write_backs set attempts = attempts + 1, next_attempt_at = $3 where key = $1 and revision = $2
returning attempts
"""
NOT_YET = "update write_backs set last_error = $3 where key = $1 and revision = $2"
END = """
update write_backs set state = $3, last_error = $4, finished_at = $5
 where key = $1 and revision = $2 and state = 'pending'
returning key
"""
LIST = """
select w.*, r.source from write_backs w left join records r on r.key = w.key
 where ($1::text is null or w.state = $1) and ($2::text is null or r.source = $2)
   and ($3::timestamptz is null or (w.requested_at, w.key) < ($3, $4))
 order by w.requested_at desc, w.key desc
 limit $5
"""

FIRST_RETRY = timedelta(seconds=2)
LONGEST_RETRY = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Candidacy:
    """One candidacy of a version, as far as SageMaker is concerned."""

    id: UUID
    use_case: str
    status: CandidacyStatus
    reason: str | None
    content_hash: str | None
    changed_by: str
    changed_at: datetime
    accepted_once: bool


@dataclass(frozen=True, slots=True)
class Desire:
    """What SageMaker should say of a version, and whose candidacy says so."""

    approval: Approval
    candidacy: Candidacy

    @property
    def description(self) -> str:
        """Why, in SageMaker's field for it; what identifies comes first, for a long reason is cut."""
        said = self.candidacy
        word = _WORDS[self.approval]
        because = f": {said.reason}" if said.reason else ""
        return f"Assent: {word} for use case {said.use_case} by {said.changed_by} (candidacy {said.id}){because}"


_WORDS: dict[Approval, str] = {
    "Approved": "accepted",
    "Rejected": "rejected",
    "PendingManualApproval": "no longer accepted",
}


@dataclass(frozen=True, slots=True)
class WriteBack:
    """One desire on its way to SageMaker."""

    key: str
    urn: str
    candidacy: UUID
    use_case: str
    desired: Approval
    description: str
    content_hash: str | None
    revision: int
    state: str
    attempts: int
    next_attempt_at: datetime
    last_error: str | None
    requested_at: datetime
    finished_at: datetime | None
    correlation_id: str
    traceparent: str | None
    source: str | None = None

    @property
    def token(self) -> str:
        """The same for each attempt at one desire, and for no other."""
        return str(ids.of_urn(f"{self.urn}#{self.revision}#{self.desired}#{self.description}"))


def desire(candidacies: Iterable[Candidacy]) -> Desire | None:
    """What SageMaker should say: one acceptance suffices, else one rejection; what was accepted once is so no more.

    None where the candidacies say nothing about it. Of several that say the same, the last to change speaks.
    """
    by_age = sorted(candidacies, key=lambda each: (each.changed_at, each.id), reverse=True)
    for candidacy in by_age:
        if candidacy.status is CandidacyStatus.ACCEPTED:
            return Desire("Approved", candidacy)
    for candidacy in by_age:
        if candidacy.status is CandidacyStatus.REJECTED:
            return Desire("Rejected", candidacy)
    for candidacy in by_age:
        if candidacy.accepted_once:
            return Desire("PendingManualApproval", candidacy)
    return None


async def apply(uow: UnitOfWork, events: Sequence[CloudEvent]) -> None:
    """Learn of candidacies, and want what follows from them."""
    connection = await uow.sql()
    causes: dict[str, CloudEvent] = {}
    for event in events:
        payload = event.payload
        if isinstance(payload, CandidacyChanged):
            key = await _hear(connection, payload, event.number)
            if key is not None:
                causes[key] = event
    for key in sorted(causes):
        with telemetry.caused_by(causes[key]):
            await _want(connection, key, uow.clock.now())


async def due(connection: asyncpg.Connection, source: str, now: datetime) -> list[WriteBack]:
    """What is to be tried now, of versions that this source has."""
    return [WriteBack(**row) for row in await connection.fetch(DUE, source, now)]


async def is_anything_pending(connection: asyncpg.Connection, source: str) -> bool:
    pending: bool = await connection.fetchval(PENDING, source)
    return pending


async def begin_attempt(connection: asyncpg.Connection, write_back: WriteBack, now: datetime) -> bool:
    """Noted before anything is done, so that what brings the process down is not tried at once again.

    False if something else is wanted by now.
    """
    again_at = now + min(FIRST_RETRY * (1 << min(write_back.attempts, 16)), LONGEST_RETRY)
    attempts = await connection.fetchval(ATTEMPT, write_back.key, write_back.revision, again_at)
    return attempts is not None


async def not_yet(connection: asyncpg.Connection, write_back: WriteBack, why: str) -> None:
    await connection.execute(NOT_YET, write_back.key, write_back.revision, why)


async def end(
    connection: asyncpg.Connection, write_back: WriteBack, state: str, now: datetime, error: str | None = None
) -> bool:
    """False if something else is wanted by now."""
    key = await connection.fetchval(END, write_back.key, write_back.revision, state, error, now)
    return key is not None


async def newest(
    connection: asyncpg.Connection,
    *,
    state: str | None,
    source: str | None,
    before: tuple[datetime, str] | None,
    limit: int,
) -> list[WriteBack]:
    at, key = before or (None, None)
    return [WriteBack(**row) for row in await connection.fetch(LIST, state, source, at, key, limit)]


async def _hear(connection: asyncpg.Connection, said: CandidacyChanged, sequence: int) -> str | None:
    """The key of the version concerned; None if this was known."""
    accepted = said.status in (CandidacyStatus.ACCEPTED, CandidacyStatus.SUSPENDED) or said.expires_at is not None
    key: str | None = await connection.fetchval(
        HEAR,
        *(said.id, arns.key(said.model_version), said.model_version, said.use_case, said.status.value, said.reason),
        *(said.content_hash, said.changed_by, said.changed_at, accepted, sequence),
    )
    return key


async def _want(connection: asyncpg.Connection, key: str, now: datetime) -> None:
    await connection.execute(LOCK, key)
    rows = await connection.fetch(OF_VERSION, key)
    wanted = desire(_candidacy(row) for row in rows)
    before = await connection.fetchrow(WANTED, key)
    if wanted is None:
        if before is not None and before["state"] != "void":
            await connection.execute(LET_GO, key, now)
        return
    said = (wanted.approval, wanted.candidacy.id, wanted.candidacy.content_hash)
    stands = (before["desired"], before["candidacy"], before["content_hash"]) if before is not None else None
    if before is not None and before["state"] != "void" and said == stands:
        return
    await connection.execute(
        WANT,
        *(key, rows[0]["urn"], wanted.candidacy.id, wanted.candidacy.use_case, wanted.approval, wanted.description),
        *(wanted.candidacy.content_hash, now, telemetry.correlation_id(), telemetry.traceparent()),
    )


def _candidacy(row: asyncpg.Record) -> Candidacy:
    return Candidacy(
        id=row["id"],
        use_case=row["use_case"],
        status=CandidacyStatus(row["status"]),
        reason=row["reason"],
        content_hash=row["content_hash"],
        changed_by=row["changed_by"],
        changed_at=row["changed_at"],
        accepted_once=row["accepted_once"],
    )
