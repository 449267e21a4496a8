"""Who takes a task on, or is given it. Pure. It never lets anybody decide what he otherwise may not."""

from collections import Counter
from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from assent_common.events.governance import TaskStatus

from assent_workflow.delegations.model import Delegation
from assent_workflow.identities.model import Colleague, Person
from assent_workflow.policies.model import Approval, Assessment, Assign
from assent_workflow.reviews.duties import acts_for, is_open, keeps_apart
from assent_workflow.reviews.refusals import CannotTake, NotAsked, NotYoursToGive, Taken
from assent_workflow.reviews.round import Approver, Round, Task, changed, with_tasks

#: Who gives tasks to others.
LEADS = frozenset({"risk", "admin"})


def claim(
    round_: Round,
    task_id: UUID,
    *,
    by: Approver,
    assessment: Assessment,
    at: datetime,
    delegations: Collection[Delegation] = (),
) -> Round:
    """Taken on by one who may decide it now. Raises a `Refused`: Taken where another has it."""
    task = round_.task(task_id)
    acts_for(round_, task, by, assessment, delegations, at)
    if task.assignee is not None and not _is_of(task, by, assessment):
        raise Taken(task.id, task.assignee)
    return round_ if task.assignee is not None else with_tasks(round_, changed(task, assignee=by.subject))


def release(round_: Round, task_id: UUID, *, by: Approver, assessment: Assessment) -> Round:
    """Given back by who has it, or taken from him by who leads. Raises a `Refused`."""
    task = _asked(round_, task_id)
    if task.assignee is None:
        return round_
    if not _is_of(task, by, assessment) and not LEADS & set(by.roles):
        raise NotYoursToGive(f"{task.assignee} has this task; only {task.assignee}, or who leads, gives it back")
    return with_tasks(round_, changed(task, assignee=None))


def assign(round_: Round, task_id: UUID, assignee: str, *, by: Approver, assessment: Assessment) -> Round:
    """Given to somebody by who leads, in whoever's place. Raises a `Refused`, also for one known not to be able to."""
    task = _asked(round_, task_id)
    if not LEADS & set(by.roles):
        raise NotYoursToGive("only risk or an admin gives a task to somebody else")
    person = Person(by.issuer, assignee)
    for why in keeps_apart(round_, assessment, [person]):
        raise CannotTake(f"{assignee} could not decide it: {why}")
    approval = assessment.policy.approval(task.stage, task.role)
    named = assessment.accountable.get(task.role)
    if approval is not None and approval.accountable and (named is None or not named.is_(person)):
        raise CannotTake(f"only {named.name if named else 'whom the use case names, and it names nobody,'} decides it")
    known = next((each for each in assessment.colleagues if each.person == person and each.roles), None)
    if known is not None and approval is not None and not {task.role, *approval.substitutes} & known.roles:
        raise CannotTake(f"{assignee} does not hold the role {task.role}, as far as /v1/identities tells")
    return round_ if task.assignee == assignee else with_tasks(round_, changed(task, assignee=assignee))


class Shares:
    """Whom the next task is given to: of those who could decide it, whoever has the fewest; nobody where none is known.

    Of equals, by name, so that one and the same comes out whoever computes it.
    """

    def __init__(self, round_: Round, assessment: Assessment) -> None:
        self._assessment = assessment
        self._load = Counter({each.person: each.load for each in assessment.colleagues})
        self._busy = {task.assignee for task in round_.live} | {
            person.subject for task in round_.live for person in (task.decided_by, task.on_behalf_of) if person
        }
        self._free = [
            each for each in assessment.colleagues if not list(keeps_apart(round_, assessment, [each.person]))
        ]

    def next_for(self, approval: Approval) -> str | None:
        if self._assessment.policy.assign is not Assign.LEAST_LOADED:
            return None
        able = [each for each in self._free if self._can(each, approval) and each.person.subject not in self._busy]
        if not able:
            return None
        person = min(able, key=lambda each: (self._load[each.person], each.person)).person
        self._busy.add(person.subject)
        return person.subject

    def _can(self, colleague: Colleague, approval: Approval) -> bool:
        return approval.role in colleague.roles and (approval.group is None or approval.group in colleague.groups)


def _asked(round_: Round, task_id: UUID) -> Task:
    task = round_.task(task_id)
    is_open(round_.review)
    if task.status is not TaskStatus.OPEN:
        raise NotAsked(task.id, task.status)
    return task


def _is_of(task: Task, by: Approver, assessment: Assessment) -> bool:
    """Also where the use case names him otherwise than his token does."""
    named = assessment.accountable.get(task.role)
    by_name = named is not None and named.name == task.assignee and named.is_(Person(by.issuer, by.subject))
    return task.assignee == by.subject or by_name
