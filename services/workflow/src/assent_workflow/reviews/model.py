"""A round of judging: who is asked, who may decide, and what follows from a decision. Pure: nothing is read or written.

Every step takes a `Round` as it stands and the policy's assessment of the facts as they stand, and returns the round
after it; `Round.since` says what to write and to tell. The caller holds the review's row lock from reading the round to
writing what changed, so that two last approvers come one after the other.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, TypeVar
from uuid import UUID

from assent_common import ids
from assent_common.canonical import ContentHash
from assent_common.events.governance import CheckResult, TaskStatus

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

_Entity = TypeVar("_Entity", "Review", "Task")


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
    given = [task for task in round_.tasks if task.status is TaskStatus.APPROVED]
    asked_first = {
        (stage.name, str(approval.role)): approval for stage in assessment.stages[:1] for approval in stage.approvals
    }
    asked_again = [_asked_again(task, asked_first.get((task.stage, task.role)), diff, at) for task in round_.live]
    review = _change(round_.review, content_hash=assessment.content_hash, checks=assessment.checks)
    why = f"the content changed under review ({diff}); approvals given so far that no longer count: {len(given)}"
    candidacy = replace(round_.candidacy, content_hash=assessment.content_hash)
    candidacy = transition(candidacy, Trigger.CONTENT_CHANGED, by=by, at=at, reason=why)
    return _advance(_with_tasks(Round(candidacy, review, round_.tasks), *asked_again), assessment, by=by, at=at)


def cancel(round_: Round, trigger: Trigger, *, by: str, at: datetime, reason: str | None = None) -> Round:
    """The candidacy leaves review undecided: withdrawn, or gone from its source. Raises ImpossibleTransition."""
    if trigger not in (Trigger.WITHDRAW, Trigger.MISSING_FROM_SOURCE):
        raise ImpossibleTransition(round_.candidacy.id, round_.candidacy.status, trigger)
    return _end(round_, ReviewStatus.CANCELLED, trigger, by, at, reason)


_DECIDED = {
    Verdict.APPROVE: TaskStatus.APPROVED,
    Verdict.REJECT: TaskStatus.REJECTED,
    Verdict.REQUEST_CHANGES: TaskStatus.CHANGES_REQUESTED,
}


def _may_decide(round_: Round, task: Task, by: Approver, assessment: Assessment) -> None:
    if task.role not in by.roles or "service" in by.roles:
        raise NotYourTask(task.id, task.role)
    if task.decided_by is not None:
        raise AlreadyDecided(task.id, task.status, task.decided_by.subject)
    _is_open(round_.review)
    if task.status is TaskStatus.CANCELLED:
        raise ContentMoved(round_.review.id)
    person = Person(by.issuer, by.subject)
    duties = assessment.policy.separation_of_duties
    if duties.proposer_decides_nothing and person == round_.candidacy.put_forward_by:
        why = "you put this model version forward, so somebody else has to judge it; you can still withdraw it"
        raise SeparationOfDuties(task.id, why)
    decided = next((other.role for other in round_.tasks if other.decided_by == person), None)
    if duties.one_person_one_task and decided is not None:
        why = f"one person decides one task of a review, and you decided that of {decided}; ask a colleague"
        raise SeparationOfDuties(task.id, why)


def _still_stands(round_: Round, assessment: Assessment) -> None:
    _is_open(round_.review)
    _is_pinned(round_.review, assessment)
    if assessment.content_hash != round_.review.content_hash:
        raise ContentMoved(round_.review.id)


def _is_open(review: Review) -> None:
    if review.status is not ReviewStatus.OPEN:
        raise ReviewEnded(review.id, review.status)


def _is_pinned(review: Review, assessment: Assessment) -> None:
    if assessment.policy.ref != review.policy:
        raise ValueError(f"a review under {review.policy} was assessed by {assessment.policy.ref}")


def _worded(verdict: Verdict, comment: str | None) -> str | None:
    comment = (comment or "").strip() or None
    if comment is None and verdict is not Verdict.APPROVE:
        raise CommentRefused("say why: a comment is needed to reject or to request changes")
    if comment is not None and len(comment) > MAX_COMMENT_LENGTH:
        raise CommentRefused(f"the comment has {len(comment)} characters; {MAX_COMMENT_LENGTH} are the most")
    if comment is not None and "\x00" in comment:
        raise CommentRefused("the comment holds a NUL character, which is not text")
    return comment


def _advance(round_: Round, assessment: Assessment, *, by: str, at: datetime) -> Round:
    """Ask whom the policy asks next; accept once nobody is left to ask and every check passes."""
    review = round_.review
    if review.checks != assessment.checks:
        review = _change(review, checks=assessment.checks)
    asked = tuple(_next_tasks(round_, assessment.stages, at))
    round_ = Round(round_.candidacy, review, (*round_.tasks, *asked))
    if any(task.status is not TaskStatus.APPROVED for task in round_.live) or not assessment.passed:
        return round_
    policy = assessment.policy
    roles = ", ".join(task.role for task in round_.live) or "nobody, whom it does not ask"
    accepted = transition(
        round_.candidacy,
        Trigger.ALL_APPROVED,
        by=by,
        at=at,
        reason=f"accepted under {policy.ref}, approved by {roles}",
        expires_at=at + policy.valid_for,
    )
    return Round(accepted, _change(review, status=ReviewStatus.ACCEPTED, ended_at=at), round_.tasks)


def _next_tasks(round_: Round, stages: Collection[Stage], at: datetime) -> Iterator[Task]:
    """The tasks that are missing up to and with the first stage that is not done."""
    for stage in stages:
        live = {task.role: task for task in round_.live if task.stage == stage.name}
        missing = [approval for approval in stage.approvals if approval.role not in live]
        yield from (_ask(round_.review, stage, approval, at) for approval in missing)
        if missing or any(task.status is not TaskStatus.APPROVED for task in live.values()):
            return


def _ask(review: Review, stage: Stage, approval: Approval, at: datetime) -> Task:
    return Task(
        id=ids.new(),
        review=review.id,
        stage=stage.name,
        role=approval.role,
        opened_at=at,
        due_at=at + approval.due_in,
    )


def _asked_again(task: Task, approval: Approval | None, why: str, at: datetime) -> Task:
    """Open again where it is its turn; cancelled where not, for it is asked anew when its turn comes."""
    if approval is None:
        return _change(task, status=TaskStatus.CANCELLED, decided_by=None, decided_at=None, comment=None, dismissed=why)
    if task.status is TaskStatus.OPEN:
        return task
    return _change(
        task,
        status=TaskStatus.OPEN,
        opened_at=at,
        due_at=at + approval.due_in,
        decided_by=None,
        decided_at=None,
        comment=None,
        dismissed=why,
    )


def _end(round_: Round, status: ReviewStatus, trigger: Trigger, by: str, at: datetime, reason: str | None) -> Round:
    candidacy = transition(round_.candidacy, trigger, by=by, at=at, reason=reason)
    _is_open(round_.review)
    unasked = [_change(task, status=TaskStatus.CANCELLED) for task in round_.tasks if task.status is TaskStatus.OPEN]
    ended = _change(round_.review, status=status, ended_at=at)
    return _with_tasks(Round(candidacy, ended, round_.tasks), *unasked)


def _with_tasks(round_: Round, *changed: Task) -> Round:
    by_id = {task.id: task for task in changed}
    return replace(round_, tasks=tuple(by_id.get(task.id, task) for task in round_.tasks))


def _change(entity: _Entity, **changes: Any) -> _Entity:
    return replace(entity, sequence=entity.sequence + 1, **changes)
