"""A task in its round, with all that is needed to act on it, held until the end of the transaction."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from assent_common.http.problems import NotFound
from assent_common.identity.roles import Principal
from assent_common.uow import UnitOfWork

from assent_workflow import subjects
from assent_workflow.candidacies import store
from assent_workflow.candidacies.model import Matter
from assent_workflow.delegations import store as delegations
from assent_workflow.delegations.model import Delegation
from assent_workflow.identities.model import Person
from assent_workflow.identities.store import with_groups
from assent_workflow.policies import store as policies
from assent_workflow.policies.model import Assessment
from assent_workflow.reviews.duties import moved_on
from assent_workflow.reviews.round import Round


@dataclass(frozen=True)
class Placed:
    candidacy: Matter
    round: Round
    assessment: Assessment
    by: Principal
    #: Given to that person.
    delegations: list[Delegation]
    at: datetime


async def placed(uow: UnitOfWork, task_id: UUID, *, by: Principal, decides: bool = False) -> Placed:
    """Raises NotFound; for one who `decides` also AlreadyDecided and ReviewEnded, as early as they are known.

    Two who act at once: the second waits for the candidacy's row, and then sees what the first has done.
    """
    connection = await uow.sql()
    asked = await store.task_alone(connection, task_id)
    if asked is None:
        raise NotFound(f"there is no task {task_id}")
    if decides:
        # Of a hundred who decide at once most come late: they wait for nobody, and nobody waits for them.
        moved_on(asked.task, asked.review, by)
    await subjects.hold(connection, asked.candidacy)
    [candidacy] = await store.lock(connection, [asked.candidacy])
    round_ = await store.round_of(connection, candidacy, asked.task.review)
    if decides:
        moved_on(round_.task(task_id), round_.review.status, by)
    subject = await subjects.subject_of(connection, candidacy)
    policy = await policies.pinned(connection, round_.review.policy)
    now = uow.clock.now()
    # Others wait for this row: nothing is read that nobody asks for.
    asks_groups = any(approval.group is not None for stage in policy.stages for approval in stage.approvals)
    return Placed(
        candidacy=candidacy,
        round=round_,
        assessment=await subjects.assessed(connection, policy, subject, now, review=round_.review.id),
        by=await with_groups(connection, by) if asks_groups else by,
        delegations=await delegations.given_to(connection, Person(by.issuer, by.subject), now),
        at=now,
    )
