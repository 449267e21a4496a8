"""The review that somebody wants to add to, and whether he takes part in it."""

from typing import NamedTuple
from uuid import UUID

from assent_common.http.problems import FieldError, Invalid, NotFound
from assent_common.identity.roles import Principal
from assent_common.uow import UnitOfWork

from assent_workflow import subjects
from assent_workflow.candidacies import store
from assent_workflow.candidacies.model import Matter
from assent_workflow.delegations import store as delegations
from assent_workflow.identities.model import Person
from assent_workflow.policies import store as policies
from assent_workflow.reviews.participants import takes_part
from assent_workflow.reviews.round import Round

CANDIDACY = "select candidacy from reviews where id = $1"


class Joined(NamedTuple):
    candidacy: Matter
    round: Round
    by: Person


async def join(uow: UnitOfWork, review: UUID, *, by: Principal, task: UUID | None = None) -> Joined:
    """Holds the candidacy until the end of the transaction. Raises NotFound, NotTakingPart; Invalid for another's task.

    Also of a review that has ended: who is asked for changes says there that they are made.
    """
    connection = await uow.sql()
    id_ = await connection.fetchval(CANDIDACY, review)
    if id_ is None:
        raise NotFound(f"there is no review {review}")
    await subjects.hold(connection, id_)
    [candidacy] = await store.lock(connection, [id_])
    round_ = await store.round_of(connection, candidacy, review)
    if task is not None and task not in {each.id for each in round_.tasks}:
        why = "that is no task of this review"
        raise Invalid(why, errors=[FieldError(pointer="/task", code="not_of_review", detail=why)])
    person, now = Person(by.issuer, by.subject), uow.clock.now()
    policy = await policies.pinned(connection, round_.review.policy)
    assessment = subjects.assess(policy, await subjects.subject_of(connection, candidacy), now)
    takes_part(round_, assessment, by, await delegations.given_to(connection, person, now))
    return Joined(candidacy, round_, person)
