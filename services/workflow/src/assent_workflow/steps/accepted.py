"""A step was accepted: it stands in the place of those before it."""

from assent_common.events.governance import CandidacyStatus
from assent_common.uow import UnitOfWork

from assent_workflow.candidacies import store
from assent_workflow.candidacies.end import end_locked
from assent_workflow.candidacies.model import Matter, Step, Trigger


async def accepted(uow: UnitOfWork, before: Matter, after: Matter, *, by: str) -> None:
    """For what was moved from one state to the other in this transaction, which holds the use case. A candidacy ends
    nothing else, nor does a step that was accepted before: what was proposed since goes on."""
    if not isinstance(after, Step) or after.status is not CandidacyStatus.ACCEPTED or before.accepted_at is not None:
        return
    for other in await store.steps_of(await uow.sql(), after.use_case_id):
        if other.id != after.id:
            reason = f"the use case was accepted for {after.to}"
            await end_locked(uow, other, Trigger.SUPERSEDED, by=by, reason=reason)
