"""Which timers stand for what stands. Pure: what is not in the answer is moot, and its timer goes."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from assent_common.events.governance import CandidacyStatus, TaskStatus

from assent_workflow.candidacies.model import Matter
from assent_workflow.policies.model import Approval

#: How long before an acceptance ends its owner is told to have it looked at again; a tenth of its time where that is
#: less, so that one of a week is not asked about before it began.
REVIEW_AHEAD = timedelta(days=30)


class TimerKind(StrEnum):
    """What it is time for."""

    #: Of a task, to its role, before it falls due.
    REMINDER = "reminder"
    #: Of a task, to its role: it is overdue.
    DUE = "due"
    #: Of a task that is overdue, to whom the policy names.
    ESCALATION = "escalation"
    #: Of an acceptance: it ends soon, somebody should submit it again.
    PERIODIC_REVIEW = "periodic_review"
    #: Of an acceptance: it ends now.
    EXPIRY = "expiry"
    #: Of a finding, to its owner: it should be resolved by now.
    FINDING_DUE = "finding_due"
    #: Of a finding whose risk was accepted until now.
    RISK_EXPIRY = "risk_expiry"
    #: Of a finding that ended, or a use case for which something else may serve than before: what that kept from being
    #: accepted is looked at again, at once. Nobody is told of that.
    LOOK_AGAIN = "look_again"
    #: Of what is gathered for somebody: it is told. No event.
    DIGEST = "digest"


@dataclass(frozen=True)
class Timer:
    #: The task, candidacy, finding or use case.
    subject: UUID
    kind: TimerKind
    due_at: datetime
    #: Whom it is for, where it is for a role.
    role: str | None = None


class Asked(Protocol):
    """A task, as far as time is concerned."""

    @property
    def id(self) -> UUID: ...
    @property
    def role(self) -> str: ...
    @property
    def status(self) -> TaskStatus: ...
    @property
    def due_at(self) -> datetime: ...


def of_task(task: Asked, approval: Approval | None) -> Iterator[Timer]:
    """Of one that is open; nothing waits for one that is not."""
    if task.status is not TaskStatus.OPEN:
        return
    yield Timer(task.id, TimerKind.DUE, task.due_at, task.role)
    if approval is not None and approval.remind_before is not None:
        yield Timer(task.id, TimerKind.REMINDER, task.due_at - approval.remind_before, task.role)
    if approval is not None and approval.escalate_to is not None:
        yield Timer(task.id, TimerKind.ESCALATION, task.due_at, approval.escalate_to)


def of_candidacy(candidacy: Matter) -> Iterator[Timer]:
    """Of one that is accepted."""
    if candidacy.status is not CandidacyStatus.ACCEPTED or candidacy.expires_at is None:
        return
    ahead = min(REVIEW_AHEAD, (candidacy.expires_at - candidacy.changed_at) / 10)
    yield Timer(candidacy.id, TimerKind.EXPIRY, candidacy.expires_at)
    yield Timer(candidacy.id, TimerKind.PERIODIC_REVIEW, candidacy.expires_at - ahead)
