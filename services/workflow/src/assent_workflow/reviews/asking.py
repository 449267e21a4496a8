"""Whom a round asks next, and when nobody is left to ask. Pure."""

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import Any

from assent_common import ids
from assent_common.events.governance import CheckResult, TaskStatus

from assent_workflow.candidacies.model import Trigger, transition
from assent_workflow.policies.model import Approval, Assessment, Stage
from assent_workflow.policies.working_days import due_at
from assent_workflow.reviews.assigning import Shares
from assent_workflow.reviews.duties import keeps_apart
from assent_workflow.reviews.round import Review, ReviewStatus, Round, Task, changed, with_tasks


def advance(round_: Round, assessment: Assessment, *, by: str, at: datetime) -> Round:
    """Ask whom the policy asks next; accept once nobody is left to ask and every check passes."""
    round_ = _released(round_, assessment.stages)
    asked = tuple(_next_tasks(round_, assessment, at))
    round_ = Round(round_.candidacy, round_.review, (*round_.tasks, *asked))
    checks = as_of(assessment.checks, round_.review.checks, at)
    changes: dict[str, Any] = {"checks": checks} if checks != round_.review.checks else {}
    candidacy = round_.candidacy
    if assessment.passed and all(task.status is TaskStatus.APPROVED for task in round_.live):
        policy = assessment.policy
        roles = ", ".join(task.role for task in round_.live) or "nobody, whom it does not ask"
        candidacy = transition(
            candidacy,
            Trigger.ALL_APPROVED,
            by=by,
            at=at,
            reason=f"accepted under {policy.ref}, approved by {roles}",
            expires_at=at + policy.valid_for,
            environments=policy.environments,
        )
        changes |= {"status": ReviewStatus.ACCEPTED, "ended_at": at}
    # At once: whoever is told of it counts the numbers.
    review = changed(round_.review, **changes) if changes else round_.review
    return Round(candidacy, review, round_.tasks)


def as_of(checks: Iterable[CheckResult], before: Iterable[CheckResult], at: datetime) -> tuple[CheckResult, ...]:
    """Each with the moment since when it comes out like this."""
    known = {check.model_copy(update={"since": None}): check.since for check in before}
    return tuple(check.model_copy(update={"since": known.get(check) or at}) for check in checks)


def kept(round_: Round, assessment: Assessment, last: Round, parts: Collection[str], at: datetime) -> Iterator[Task]:
    """Approvals of the last round that a change to these parts leaves standing, as tasks of this one.

    Only where that round was judged by the same policy version, and of nobody who has no say in this one: who asks for
    it now may have approved the last.
    """
    review = round_.review
    if not assessment.policy.keeps_approvals or last.review.policy != review.policy:
        return
    touched = assessment.policy.touched(parts)
    for stage in assessment.stages:
        given = last.live_in(stage.name)
        for approval, seat in stage.seats:
            task = given.get((approval.role, seat))
            if task is None or task.status is not TaskStatus.APPROVED or approval.is_about(touched):
                continue
            involved = {person for person in (task.decided_by, task.on_behalf_of) if person is not None}
            if not any(keeps_apart(round_, assessment, involved)):
                yield Task(
                    id=ids.new(),
                    review=review.id,
                    stage=stage.name,
                    role=task.role,
                    seat=seat,
                    status=TaskStatus.APPROVED,
                    opened_at=at,
                    due_at=due_at(at, approval.due_in, assessment.policy.calendar),
                    decided_by=task.decided_by,
                    decided_at=task.decided_at,
                    on_behalf_of=task.on_behalf_of,
                    comment=task.comment,
                    group=task.group,
                    kept_from=task.kept_from or task.id,
                )


def asked_again(task: Task, approval: Approval | None, assessment: Assessment, why: str, at: datetime) -> Task:
    """Open again where it is its turn; cancelled where not, for it is asked anew when its turn comes."""
    nobody = {"decided_by": None, "decided_at": None, "on_behalf_of": None, "comment": None, "kept_from": None}
    if approval is None:
        return changed(task, status=TaskStatus.CANCELLED, dismissed=why, **nobody)
    if task.status is TaskStatus.OPEN:
        return task
    due = due_at(at, approval.due_in, assessment.policy.calendar)
    return changed(task, status=TaskStatus.OPEN, opened_at=at, due_at=due, dismissed=why, **nobody)


def _released(round_: Round, stages: Iterable[Stage]) -> Round:
    """Where a quorum is reached, those who were asked beside are asked no more."""
    spare: list[Task] = []
    for stage in stages:
        if stage.quorum != "all" and _is_done(stage, round_):
            live = round_.live_in(stage.name).values()
            spare += [changed(task, status=TaskStatus.CANCELLED) for task in live if task.status is TaskStatus.OPEN]
    return with_tasks(round_, *spare)


def _is_done(stage: Stage, round_: Round) -> bool:
    live = round_.live_in(stage.name)
    tasks = [live.get((approval.role, seat)) for approval, seat in stage.seats]
    approved = sum(task is not None and task.status is TaskStatus.APPROVED for task in tasks)
    # Who was asked is waited for where all are, though the policy would not ask him any more.
    waited_for = stage.quorum == "all" and any(task.status is not TaskStatus.APPROVED for task in live.values())
    return approved >= stage.needed and not waited_for


def _next_tasks(round_: Round, assessment: Assessment, at: datetime) -> Iterator[Task]:
    """The tasks that are missing up to and with the first stage that is not done."""
    shares = Shares(round_, assessment)
    for stage in assessment.stages:
        if _is_done(stage, round_):
            continue
        live = round_.live_in(stage.name)
        for approval, seat in stage.seats:
            if (approval.role, seat) not in live:
                yield _ask(round_.review, stage, approval, seat, assessment, at, shares)
        return


def _ask(
    review: Review, stage: Stage, approval: Approval, seat: int, assessment: Assessment, at: datetime, shares: Shares
) -> Task:
    accountable = assessment.accountable.get(approval.role) if approval.accountable else None
    person = accountable.person if accountable and accountable.told else None
    named = person.subject if person else accountable.name if accountable else None
    return Task(
        id=ids.new(),
        review=review.id,
        stage=stage.name,
        role=approval.role,
        seat=seat,
        opened_at=at,
        due_at=due_at(at, approval.due_in, assessment.policy.calendar),
        assignee=named if approval.accountable else shares.next_for(approval),
        group=approval.group,
    )
