"""A round of judging: who is asked, who may decide, and what follows from a decision. Pure: nothing is read or written.

Every step takes a `Round` as it stands and the policy's assessment of the facts as they stand, and returns the round
after it; `Round.since` says what to write and to tell. The caller holds the review's row lock from reading the round to
writing what changed, so that two last approvers come one after the other.
"""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from assent_common import ids
from assent_common.events.governance import TaskStatus

from assent_workflow.candidacies.model import ImpossibleTransition, Matter, Trigger, transition
from assent_workflow.delegations.model import Delegation
from assent_workflow.identities.model import Person
from assent_workflow.policies.model import Assessment, ContentPart
from assent_workflow.reviews.asking import advance, as_of, asked_again, kept
from assent_workflow.reviews.duties import acts_for, is_open, is_pinned, keeps_apart, still_stands
from assent_workflow.reviews.refusals import CommentRefused, NotOverridable, ReasonRefused
from assent_workflow.reviews.round import Approver as Approver
from assent_workflow.reviews.round import Change as Change
from assent_workflow.reviews.round import Review as Review
from assent_workflow.reviews.round import ReviewStatus as ReviewStatus
from assent_workflow.reviews.round import Round as Round
from assent_workflow.reviews.round import Task as Task
from assent_workflow.reviews.round import Verdict as Verdict
from assent_workflow.reviews.round import changed, with_tasks

MAX_COMMENT_LENGTH = 4_000


def open_review(
    candidacy: Matter,
    assessment: Assessment,
    *,
    requested_by: str,
    at: datetime,
    last: Round | None = None,
    parts: Collection[str] = (),
) -> Round:
    """A new round on the content that stands; whom it asks is for `reconsider`. Raises ImpossibleTransition.

    Checks that fail do not keep it from opening: reviewers work while somebody mends what is missing. `last` is the
    round whose approvals may count on, where the policy says so, and `parts` what changed since.
    """
    review = Review(
        id=ids.new(),
        candidacy=candidacy.id,
        policy=assessment.policy.ref,
        content_hash=assessment.content_hash,
        checks=as_of(assessment.checks, (), at),
        requested_by=requested_by,
        requested_at=at,
    )
    pinned = replace(candidacy, review=review.id, policy=review.policy, content_hash=review.content_hash)
    submitted = transition(pinned, Trigger.SUBMIT, by=requested_by, at=at)
    standing = tuple(kept(Round(submitted, review, ()), assessment, last, parts, at)) if last else ()
    return Round(submitted, review, standing)


def decide(
    round_: Round,
    task_id: UUID,
    verdict: Verdict,
    comment: str | None,
    *,
    by: Approver,
    assessment: Assessment,
    at: datetime,
    delegations: Collection[Delegation] = (),
) -> Round:
    """One person's decision, and what follows. Raises a `Refused`; nothing changed then.

    `delegations` are those given to that person.
    """
    task = round_.task(task_id)
    behalf = acts_for(round_, task, by, assessment, delegations, at)
    still_stands(round_, assessment)
    comment = worded(comment, what=_NEEDS_A_REASON.get(verdict))
    decided = changed(
        task,
        status=_DECIDED[verdict],
        decided_by=Person(by.issuer, by.subject),
        decided_at=at,
        on_behalf_of=behalf,
        comment=comment,
        dismissed=None,
    )
    round_ = with_tasks(round_, decided)
    match verdict:
        case Verdict.APPROVE:
            return advance(round_, assessment, by=by.subject, at=at)
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
    still_stands(round_, assessment)
    return advance(round_, assessment, by=by, at=at)


def dismiss(
    round_: Round, assessment: Assessment, *, diff: str, by: str, at: datetime, parts: Collection[str] | None = None
) -> Round:
    """The content changed under review: the approvals that this touches do not count any more, and are asked for again.

    The review moves on to the assessment's content; what follows from that is for `reconsider`. `parts` are those that
    changed; any may have, where absent. Raises ReviewEnded.
    """
    is_open(round_.review)
    is_pinned(round_.review, assessment)
    policy = assessment.policy
    touched = policy.touched(parts) if parts is not None else frozenset(ContentPart)
    asked_first = {
        (stage.name, str(approval.role), seat): approval
        for stage in assessment.stages[:1]
        for approval, seat in stage.seats
    }
    dismissed, given = [], 0
    for task in round_.live:
        approval = policy.approval(task.stage, task.role)
        is_given = task.status is TaskStatus.APPROVED
        if is_given and approval is not None and not approval.is_about(touched):
            continue
        given += is_given
        first = asked_first.get((task.stage, task.role, task.seat))
        dismissed.append(asked_again(task, first, assessment, diff, at))
    checks = as_of(assessment.checks, round_.review.checks, at)
    review = changed(round_.review, content_hash=assessment.content_hash, checks=checks)
    why = f"the content changed under review ({diff}); approvals given so far that no longer count: {given}"
    candidacy = replace(round_.candidacy, content_hash=assessment.content_hash)
    candidacy = transition(candidacy, Trigger.CONTENT_CHANGED, by=by, at=at, reason=why)
    return with_tasks(Round(candidacy, review, round_.tasks), *dismissed)


def override(round_: Round, assessment: Assessment, reason: str, *, by: Approver, at: datetime) -> Round:
    """Accepted for a while without the approvals that are missing, by one whom the policy lets. Raises a `Refused`."""
    still_stands(round_, assessment)
    allowed = assessment.policy.override
    if allowed is None:
        raise NotOverridable(f"{assessment.policy.ref} lets nobody override it")
    if not set(allowed.by) & set(by.roles) or "service" in by.roles:
        raise NotOverridable(f"{assessment.policy.ref} lets only {', '.join(allowed.by)} override it")
    for why in keeps_apart(round_, assessment, [Person(by.issuer, by.subject)]):
        raise NotOverridable(why)
    overridable = {check.name for check in assessment.policy.checks if check.overridable}
    for check in assessment.checks:
        if not check.passed and check.name not in overridable:
            raise NotOverridable(f"{check.name} cannot be overridden: {check.reason}")
    said = worded(reason, what="an override", refused=ReasonRefused)
    why = f"{assessment.policy.ref} overridden by {by.subject}: {said}"
    until, where = at + allowed.valid_for, assessment.policy.environments
    overridden = _end(round_, ReviewStatus.OVERRIDDEN, Trigger.OVERRIDE, by.subject, at, why, until, where)
    checks = as_of(assessment.checks, round_.review.checks, at)
    return replace(overridden, review=replace(overridden.review, checks=checks))


def cancel(round_: Round, trigger: Trigger, *, by: str, at: datetime, reason: str | None = None) -> Round:
    """The candidacy leaves review undecided: withdrawn, gone from its source, or not needed any more.

    Raises ImpossibleTransition.
    """
    ends = (Trigger.WITHDRAW, Trigger.MISSING_FROM_SOURCE, Trigger.USE_CASE_GIVEN_UP, Trigger.SUPERSEDED)
    if trigger not in ends:
        raise ImpossibleTransition(round_.candidacy.id, round_.candidacy.status, trigger)
    return _end(round_, ReviewStatus.CANCELLED, trigger, by, at, reason)


_NEEDS_A_REASON = {Verdict.REJECT: "a rejection", Verdict.REQUEST_CHANGES: "a request for changes"}
_DECIDED = {
    Verdict.APPROVE: TaskStatus.APPROVED,
    Verdict.REJECT: TaskStatus.REJECTED,
    Verdict.REQUEST_CHANGES: TaskStatus.CHANGES_REQUESTED,
}


def worded(
    comment: str | None, *, what: str | None = None, refused: type[CommentRefused] = CommentRefused
) -> str | None:
    """A comment as it is kept. Raises `refused`; also for none, where `what` says what needs one."""
    comment = (comment or "").strip() or None
    if comment is None and what is not None:
        raise refused(f"say why: {what} needs a {refused.field}")
    if comment is not None and len(comment) > MAX_COMMENT_LENGTH:
        raise refused(f"the {refused.field} has {len(comment)} characters; {MAX_COMMENT_LENGTH} are the most")
    if comment is not None and "\x00" in comment:
        raise refused(f"the {refused.field} holds a NUL character, which is not text")
    return comment


def _end(
    round_: Round,
    status: ReviewStatus,
    trigger: Trigger,
    by: str,
    at: datetime,
    reason: str | None,
    expires_at: datetime | None = None,
    environments: tuple[str, ...] | None = None,
) -> Round:
    candidacy = transition(
        round_.candidacy, trigger, by=by, at=at, reason=reason, expires_at=expires_at, environments=environments
    )
    is_open(round_.review)
    unasked = [changed(task, status=TaskStatus.CANCELLED) for task in round_.tasks if task.status is TaskStatus.OPEN]
    ended = changed(round_.review, status=status, ended_at=at)
    return with_tasks(Round(candidacy, ended, round_.tasks), *unasked)
