"""A task in its round, with all that is needed to act on it, held until the end of the transaction."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from assent_common.http.problems import NotFound
from assent_common.identity.roles import Principal
from assent_common.uow import UnitOfWork

from assent_workflow import subjects
from assent_workflow.candidacies import store
from assent_workflow.candidacies.model import Candidacy
from assent_workflow.delegations import store as delegations
from assent_workflow.delegations.model import Delegation
from assent_workflow.identities.model import Person
from assent_workflow.identities.store import with_groups
from assent_workflow.policies import store as policies
from assent_workflow.policies.model import Assessment
from assent_workflow.reviews.round import Round

PLACE = "select candidacy, review from tasks where id = $1"


@dataclass(frozen=True)
class Placed:
    candidacy: Candidacy
    round: Round
    assessment: Assessment
    by: Principal
    #: Given to that person.
    delegations: list[Delegation]
    at: datetime


async def placed(uow: UnitOfWork, task_id: UUID, *, by: Principal) -> Placed:
    """Raises NotFound.

    Two who act at once: the second waits for the candidacy's row, and then sees what the first has done.
    """
    connection = await uow.sql()
    place = await connection.fetchrow(PLACE, task_id)
    if place is None:
        raise NotFound(f"there is no task {task_id}")
    await subjects.hold(connection, place["candidacy"])
    [candidacy] = await store.lock(connection, [place["candidacy"]])
    round_ = await store.round_of(connection, candidacy, place["review"])
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
