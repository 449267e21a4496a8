"""A round of judging: who is asked, who may decide, and what follows from a decision. Pure: nothing is read or written.

Every step takes a `Round` as it stands and the policy's assessment of the facts as they stand, and returns the round
after it; `Round.since` says what to write and to tell. The caller holds the review's row lock from reading the round to
writing what changed, so that two last approvers come one after the other.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from assent_common import ids
from assent_common.canonical import ContentHash
from assent_common.events.governance import CandidacyStatus, CheckResult, TaskStatus

from assent_workflow.candidacies.model import Candidacy, ImpossibleTransition, Person, Trigger, transition
from assent_workflow.policies.model import Approval, Assessment, Stage
from assent_workflow.reviews.refusals import (
    AlreadyDecided,
    CommentRefused,
    ContentMoved,
    NotYourTask,
    ReviewEnded,
    SeparationOfDuties,
)

MAX_COMMENT_LENGTH = 4_000


class Verdict(StrEnum):
    APPROVE = "approve"
    REJECT = "reject"
    REQUEST_CHANGES = "request_changes"


class ReviewStatus(StrEnum):
    OPEN = "open"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    CHANGES_REQUESTED = "changes_requested"
    #: The candidacy left review for another reason than a decision.
    CANCELLED = "cancelled"


class Approver(Protocol):
    """Somebody whose token was verified."""

    @property
    def issuer(self) -> str: ...
    @property
    def subject(self) -> str: ...
    @property
    def roles(self) -> Collection[str]: ...


@dataclass(frozen=True, kw_only=True)
class Task:
    """One approval asked of one role."""

    id: UUID
    review: UUID
    stage: str
    role: str
    status: TaskStatus = TaskStatus.OPEN
    opened_at: datetime
    due_at: datetime
    decided_by: Person | None = None
    decided_at: datetime | None = None
    comment: str | None = None
    #: Why the approval last given here does not count any more.
    dismissed: str | None = None
    sequence: int = 1


@dataclass(frozen=True, kw_only=True)
class Review:
    """Pinned to a policy version and to the content judged."""

    id: UUID
    candidacy: UUID
    policy: str
    content_hash: ContentHash
    status: ReviewStatus = ReviewStatus.OPEN
    #: As they came out last, on the content above.
    checks: tuple[CheckResult, ...]
    requested_by: str
    requested_at: datetime
    ended_at: datetime | None = None
    sequence: int = 1

    @property
    def blocked_by(self) -> tuple[str, ...]:
        """Why it is not accepted, however many approve."""
        return tuple(f"{check.name}: {check.reason}" for check in self.checks if not check.passed)


@dataclass(frozen=True)
class Change:
    """What a step changed or made; what it left as it was is not there."""

    candidacy: Candidacy | None
    review: Review | None
    tasks: tuple[Task, ...]


@dataclass(frozen=True)
class Round:
    """A candidacy under review, its review and all of the review's tasks."""

    candidacy: Candidacy
    review: Review
    tasks: tuple[Task, ...]

    def task(self, id: UUID) -> Task:
        return next(task for task in self.tasks if task.id == id)

    @property
    def live(self) -> tuple[Task, ...]:
        return tuple(task for task in self.tasks if task.status is not TaskStatus.CANCELLED)

    @property
    def waiting_for(self) -> tuple[str, ...]:
        """The roles that are asked now and have not answered."""
        return tuple(task.role for task in self.tasks if task.status is TaskStatus.OPEN)

    def since(self, before: "Round") -> Change:
        return Change(
            candidacy=self.candidacy if self.candidacy != before.candidacy else None,
            review=self.review if self.review != before.review else None,
            tasks=tuple(task for task in self.tasks if task not in before.tasks),
        )


def open_review(candidacy: Candidacy, assessment: Assessment, *, requested_by: str, at: datetime) -> Round:
    """A new round on the content that stands. Raises ImpossibleTransition.

    Checks that fail do not keep it from opening: reviewers work while somebody mends what is missing.
    """
    review = Review(
        id=ids.new(),
        candidacy=candidacy.id,
        policy=assessment.policy.ref,
        content_hash=assessment.content_hash,
        checks=assessment.checks,
        requested_by=requested_by,
        requested_at=at,
    )
    pinned = replace(candidacy, review=review.id, policy=review.policy, content_hash=review.content_hash)
    submitted = transition(pinned, Trigger.SUBMIT, by=requested_by, at=at)
    return _advance(Round(submitted, review, ()), assessment, by=requested_by, at=at)


def decide(
    round_: Round,
    task_id: UUID,
    verdict: Verdict,
    comment: str | None,
    *,
    by: Approver,
    assessment: Assessment,
    at: datetime,
) -> Round:
    """One person's decision, and what follows. Raises a `Refused`; nothing changed then."""
    task = round_.task(task_id)
    _may_decide(round_, task, by, assessment)
    _still_stands(round_, assessment)
    comment = _worded(verdict, comment)
    decided = _change(
        task,
        status=_DECIDED[verdict],
        decided_by=Person(by.issuer, by.subject),
        decided_at=at,
        comment=comment,
        dismissed=None,
    )
    round_ = _with_tasks(round_, decided)
    match verdict:
        case Verdict.APPROVE:
            return _advance(round_, assessment, by=by.subject, at=at)
        case Verdict.REJECT:
            why = f"rejected by {task.role}: {comment}"
            return _end(round_, ReviewStatus.REJECTED, Trigger.TASK_REJECTED, by.subject, at, why)
        case Verdict.REQUEST_CHANGES:
            why = f"changes requested by {task.role}: {comment}"
            return _end(round_, ReviewStatus.CHANGES_REQUESTED, Trigger.CHANGES_REQUESTED, by.subject, at, why)


def reconsider(round_: Round, assessment: Assessment, *, by: str, at: datetime) -> Round:
    """The facts changed, the content did not: checks come out anew, further roles may be asked, nothing is undone.

    Accepts where a failed check was all that was in the way. Raises ReviewEnded, ContentMoved.
    """
    _still_stands(round_, assessment)
    return _advance(round_, assessment, by=by, at=at)


def dismiss(round_: Round, assessment: Assessment, *, diff: str, by: str, at: datetime) -> Round:
    """The content changed under review: the approvals given so far do not count any more, and are asked for again.

    The review moves on to the assessment's content. Raises ReviewEnded.
    """
    _is_open(round_.review)
    _is_pinned(round_.review, assessment)
    first = assessment.stages[0].name if assessment.stages else None
    given = [task for task in round_.tasks if task.status is TaskStatus.APPROVED]
    dismissed = [_dismissed(task, assessment, first, diff, at) for task in round_.live if task in given or task.stage != first]
    review = _change(round_.review, content_hash=assessment.content_hash, checks=assessment.checks)
    why = f"the content changed under review, {len(given)} given approvals are dismissed: {diff}"
    candidacy = replace(round_.candidacy, content_hash=assessment.content_hash)
    candidacy = transition(candidacy, Trigger.CONTENT_CHANGED, by=by, at=at, reason=why)
    return _advance(_with_tasks(Round(candidacy, review, round_.tasks), *dismissed), assessment, by=by, at=at)


def cancel(round_: Round, trigger: Trigger, *, by: str, at: datetime, reason: str | None = None) -> Round:
    """The candidacy leaves review without a decision: withdrawn, or gone from its source. Raises ImpossibleTransition."""
    if trigger not in (Trigger.WITHDRAW, Trigger.MISSING_FROM_SOURCE):
        raise ImpossibleTransition(round_.candidacy.id, round_.candidacy.status, trigger)
    return _end(round_, ReviewStatus.CANCELLED, trigger, by, at, reason)


_DECIDED = {
    Verdict.APPROVE: TaskStatus.APPROVED,
    Verdict.REJECT: TaskStatus.REJECTED,
    Verdict.REQUEST_CHANGES: TaskStatus.CHANGES_REQUESTED,
}
