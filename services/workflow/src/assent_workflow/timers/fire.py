"""What is due happens, once, in one transaction with its timer's row."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import UUID

from assent_common.actors import ASSENT
from assent_common.events.governance import CandidacyStatus, TimerFired
from assent_common.http.problems import Conflict
from assent_common.kafka.topics import GOVERNANCE
from assent_common.uow import UnitOfWork

from assent_workflow.candidacies import store as candidacies
from assent_workflow.candidacies import tell
from assent_workflow.candidacies.end import end_locked
from assent_workflow.candidacies.model import Matter, Step, Trigger
from assent_workflow.candidacies.submit import submit_locked
from assent_workflow.findings import look
from assent_workflow.findings import store as findings
from assent_workflow.findings.model import risk_is_over
from assent_workflow.notifications import digests
from assent_workflow.timers import store
from assent_workflow.timers.model import TimerKind

SAID: Mapping[TimerKind, str] = {
    TimerKind.REMINDER: "task.reminded",
    TimerKind.DUE: "task.overdue",
    TimerKind.ESCALATION: "task.escalated",
    TimerKind.PERIODIC_REVIEW: "candidacy.review_due",
}
"""What is put on record; an acceptance that ends puts its own."""

Row = Mapping[str, Any]


class NotFired(Exception):
    """An effect failed, and with it all that were claimed together."""

    def __init__(self, timers: Collection[UUID], why: Exception) -> None:
        self.timers = timers
        super().__init__(f"{len(timers)} timers could not be fired: {why!r}")


async def fire(uow: UnitOfWork, *, at: datetime | None = None, most: int = 200, only: UUID | None = None) -> int:
    """Fire what is due by the database's clock, or at the moment given; how many.

    Waits for nobody: what somebody else is about is left for later. Raises NotFired, and everything is undone.
    """
    connection = await uow.sql()
    of_candidacies = await store.claim(connection, at=at, most=most, only=only)
    of_findings = await findings.claim_timers(connection, at=at, most=most, only=only)
    of_digests = await digests.claim(connection, at=at, most=most, only=only)
    due = [*of_candidacies, *of_findings, *of_digests]
    if not due:
        return 0
    try:
        await store.fired(connection, [row["id"] for row in due], at=uow.clock.now())
        about = await candidacies.lock(connection, sorted({row["candidacy"] for row in of_candidacies}))
        await _of_candidacies(uow, of_candidacies, {candidacy.id: candidacy for candidacy in about})
        await _of_findings(uow, of_findings)
        await digests.make(uow, of_digests)
    except Exception as error:
        raise NotFired([row["id"] for row in due], error) from error
    return len(due)


async def _of_candidacies(uow: UnitOfWork, due: Sequence[Row], about: Mapping[UUID, Matter]) -> None:
    for row in due:
        kind, candidacy = TimerKind(row["kind"]), about[row["candidacy"]]
        _tell(uow, row, kind, candidacy)
        if kind is not TimerKind.EXPIRY:
            details = {"timer": str(row["id"]), "subject": str(row["subject"]), "role": row["role"]}
            said = SAID[kind].replace("candidacy", candidacy.noun)
            uow.audit(ASSENT, said, str(candidacy.id), details)
        elif candidacy.status is CandidacyStatus.ACCEPTED:
            reason = f"the acceptance held until {row['due_at']:%Y-%m-%d}: look at it again"
            ended = await end_locked(uow, candidacy, Trigger.EXPIRED, by=ASSENT, reason=reason)
            if isinstance(ended, Step):
                # Where it cannot be told by which policy, it stays suspended: a finding.
                with suppress(Conflict):
                    await submit_locked(uow, ended, by=ASSENT)
        if kind is TimerKind.DUE and isinstance(candidacy, Step):
            look.concerning_use_case(uow, candidacy.use_case_id)


async def _of_findings(uow: UnitOfWork, due: Sequence[Row]) -> None:
    connection = await uow.sql()
    for row in due:
        kind, finding = TimerKind(row["kind"]), await findings.lock(connection, row["subject"])
        assert finding is not None
        if kind is TimerKind.RISK_EXPIRY:
            await findings.save(uow, [risk_is_over(finding, at=uow.clock.now())])
        else:
            uow.audit(ASSENT, "finding.overdue", str(finding.id), {"timer": str(row["id"]), "owner": finding.owner})
        fired = TimerFired(
            id=row["id"],
            kind=kind,
            finding=finding.id,
            model_version=finding.model_version,
            due_at=row["due_at"],
            fired_at=uow.clock.now(),
        )
        uow.emit(GOVERNANCE, "assent.governance.timer.fired.v1", str(row["id"]), 1, fired)


def _tell(uow: UnitOfWork, row: Row, kind: TimerKind, candidacy: Matter) -> None:
    of_task = kind in (TimerKind.REMINDER, TimerKind.DUE, TimerKind.ESCALATION)
    fired = TimerFired(
        id=row["id"],
        kind=kind,
        task=row["subject"] if of_task else None,
        **tell.about(candidacy),
        role=row["role"],
        due_at=row["due_at"],
        fired_at=uow.clock.now(),
    )
    uow.emit(GOVERNANCE, "assent.governance.timer.fired.v1", str(row["id"]), 1, fired)
