"""Who may decide a task, and who may override a policy. Pure."""

from collections.abc import Collection, Iterator
from datetime import datetime

from assent_common.events.governance import TaskStatus

from assent_workflow.candidacies.model import Step
from assent_workflow.delegations.model import Delegation
from assent_workflow.identities.model import Person
from assent_workflow.policies.model import Approval, Assessment
from assent_workflow.reviews.refusals import (
    AlreadyDecided,
    ContentMoved,
    NotNeeded,
    NotYourTask,
    ReviewEnded,
    SeparationOfDuties,
)
from assent_workflow.reviews.round import Approver, Review, ReviewStatus, Round, Task


def acts_for(
    round_: Round, task: Task, by: Approver, assessment: Assessment, delegations: Collection[Delegation], at: datetime
) -> Person | None:
    """For whom somebody may decide the task: None for himself. Raises a `Refused` where he may not."""
    person = Person(by.issuer, by.subject)
    approval = _approval(assessment, task)
    behalf = _entitled(task, approval, by, delegations, at)
    if task.decided_by is not None:
        raise AlreadyDecided(task.id, task.status, task.decided_by.subject)
    is_open(round_.review)
    if task.status is TaskStatus.CANCELLED:
        raise ContentMoved(round_.review.id) if task.dismissed else NotNeeded(task.id)
    involved = {person} | ({behalf} if behalf else set())
    _accountable(task, approval, assessment, behalf or person)
    for why in keeps_apart(round_, assessment, involved):
        raise SeparationOfDuties(task.id, why)
    for other in round_.live:
        if involved.isdisjoint({other.decided_by, other.on_behalf_of}):
            continue
        if assessment.policy.separation_of_duties.one_person_one_task:
            who = "you" if person in (other.decided_by, other.on_behalf_of) else "whom you stand in for"
            why = f"one person decides one task of a review, and {who} decided that of {other.role}; ask a colleague"
            raise SeparationOfDuties(task.id, why)
        if (other.stage, other.role) == (task.stage, task.role):
            raise SeparationOfDuties(task.id, f"the policy asks for several people of {task.role}; ask a colleague")
    return behalf


def moved_on(task: Task, review: ReviewStatus, by: Approver) -> None:
    """What `acts_for` would say for this alone, known before the rest is read: the task is decided, or its review over.

    Silent of somebody who may have to be told first that it is not for him. Raises AlreadyDecided or ReviewEnded.
    """
    if task.role not in by.roles or "service" in by.roles or task.group is not None:
        return
    if task.decided_by is not None:
        raise AlreadyDecided(task.id, task.status, task.decided_by.subject)
    if review is not ReviewStatus.OPEN:
        raise ReviewEnded(task.review, review)


def keeps_apart(round_: Round, assessment: Assessment, involved: Collection[Person]) -> Iterator[str]:
    """Why these people have no say in this at all."""
    duties = assessment.policy.separation_of_duties
    if duties.proposer_decides_nothing and round_.candidacy.put_forward_by in involved:
        what = "proposed this step" if isinstance(round_.candidacy, Step) else "put this model version forward"
        yield f"you {what}, so somebody else has to judge it; you can still withdraw it"
    elif duties.proposer_decides_nothing and _asked_for_it(round_, involved):
        yield "you asked for this review, so somebody else has to judge it"
    if not duties.maker_decides_nothing:
        return
    for maker in assessment.makers:
        if any(maker.is_(person) for person in involved):
            yield f"you made or changed this at its source, as {maker.name}, so somebody else has to judge it"
        elif not maker.told:
            yield (
                f"which person {maker.name} is, who made or changed this at its source, is not known, so nobody can be "
                "told apart from them; an admin has to say so at /v1/identities"
            )


def _asked_for_it(round_: Round, involved: Collection[Person]) -> bool:
    """Of who asked only the subject is kept: one that who put it forward has is taken for his own."""
    asked = round_.review.requested_by
    return asked != round_.candidacy.put_forward_by.subject and asked in {person.subject for person in involved}


def is_open(review: Review) -> None:
    if review.status is not ReviewStatus.OPEN:
        raise ReviewEnded(review.id, review.status)


def still_stands(round_: Round, assessment: Assessment) -> None:
    is_open(round_.review)
    is_pinned(round_.review, assessment)
    if assessment.content_hash != round_.review.content_hash:
        raise ContentMoved(round_.review.id)


def is_pinned(review: Review, assessment: Assessment) -> None:
    if assessment.policy.ref != review.policy:
        raise ValueError(f"a review under {review.policy} was assessed by {assessment.policy.ref}")


def _approval(assessment: Assessment, task: Task) -> Approval:
    approval = assessment.policy.approval(task.stage, task.role)
    assert approval is not None, f"{assessment.policy.ref} asks nothing of {task.role} in {task.stage}"
    return approval


def _entitled(
    task: Task, approval: Approval, by: Approver, delegations: Collection[Delegation], at: datetime
) -> Person | None:
    if "service" in by.roles:
        raise NotYourTask(task.id, task.role)
    # Whoever stands in is a member, too: the group is asked for what its members know.
    if approval.group is not None and approval.group not in by.groups:
        raise NotYourTask(task.id, f"{task.role}, and is in the group {approval.group}")
    if task.role in by.roles and not approval.accountable:
        return None
    eligible = {task.role, *approval.substitutes} & {str(role) for role in by.roles}
    person = Person(by.issuer, by.subject)
    standing_in = (
        delegation.delegator
        for delegation in delegations
        if delegation.role == task.role and delegation.substitute == person and delegation.holds(at) and eligible
    )
    behalf = next(standing_in, None)
    if behalf is None and task.role not in by.roles:
        raise NotYourTask(task.id, task.role)
    return behalf


def _accountable(task: Task, approval: Approval, assessment: Assessment, person: Person) -> None:
    if not approval.accountable:
        return
    named = assessment.accountable.get(task.role)
    if named is None:
        raise NotYourTask(task.id, f"{task.role}, and is named in the use case, which names nobody")
    if not named.is_(person):
        raise NotYourTask(task.id, f"{task.role}, and is {named.name}, whom the use case names")
