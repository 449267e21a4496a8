"""A task is taken on, given back, or given to somebody."""

from dataclasses import replace
from uuid import UUID

from assent_common.identity.roles import Principal
from assent_common.uow import UnitOfWork

from assent_workflow.candidacies import store
from assent_workflow.identities import store as identities
from assent_workflow.identities.model import Person
from assent_workflow.reviews import assigning
from assent_workflow.reviews.placed import Placed, placed
from assent_workflow.reviews.round import Round


async def claim(uow: UnitOfWork, task_id: UUID, *, by: Principal) -> None:
    """Raises NotFound, or a `Refused`. Of two who claim at once, the second sees that the first has it."""
    place = await placed(uow, task_id, by=by)
    after = assigning.claim(
        place.round,
        task_id,
        by=place.by,
        assessment=place.assessment,
        at=place.at,
        delegations=place.delegations,
    )
    await _keep(uow, task_id, place, after, "task.claimed")


async def release(uow: UnitOfWork, task_id: UUID, *, by: Principal) -> None:
    """Raises NotFound, or a `Refused`."""
    place = await placed(uow, task_id, by=by)
    after = assigning.release(place.round, task_id, by=by, assessment=place.assessment)
    await _keep(uow, task_id, place, after, "task.released")


async def assign(uow: UnitOfWork, task_id: UUID, assignee: str, *, by: Principal) -> None:
    """Raises NotFound, or a `Refused`."""
    place = await placed(uow, task_id, by=by)
    known = await identities.colleagues(await uow.sql(), Person(by.issuer, assignee))
    assessment = replace(place.assessment, colleagues=known)
    after = assigning.assign(place.round, task_id, assignee, by=by, assessment=assessment)
    await _keep(uow, task_id, place, after, "task.assigned")


async def _keep(uow: UnitOfWork, task_id: UUID, place: Placed, after: Round, action: str) -> None:
    """What leaves it as it was is not told again."""
    change = after.since(place.round)
    if not change.tasks:
        return
    await store.save(uow, place.candidacy, after, change)
    details = {
        "task": str(task_id),
        "role": after.task(task_id).role,
        "assignee": after.task(task_id).assignee,
        "before": place.round.task(task_id).assignee,
    }
    uow.audit(place.by.subject, action, str(place.candidacy.id), details)
