"""Withdraw, suspend, retire, or let go what its source no longer has."""

from uuid import UUID

from assent_common.events.governance import CandidacyStatus as Status
from assent_common.http.problems import NotFound
from assent_common.uow import UnitOfWork

from assent_workflow import subjects
from assent_workflow.candidacies import store
from assent_workflow.candidacies.model import Matter, Trigger, transition
from assent_workflow.reviews.model import cancel


async def end(uow: UnitOfWork, id_: UUID, trigger: Trigger, *, by: str, reason: str | None) -> None:
    """Raises NotFound or ImpossibleTransition."""
    connection = await uow.sql()
    await subjects.hold(connection, id_)
    locked = await store.lock(connection, [id_])
    if not locked:
        raise NotFound(f"there is no candidacy {id_}")
    await end_locked(uow, locked[0], trigger, by=by, reason=reason)


async def end_locked(uow: UnitOfWork, candidacy: Matter, trigger: Trigger, *, by: str, reason: str | None) -> Matter:
    """For one whose row is locked. A review under way ends with it, and asks nobody any more."""
    now = uow.clock.now()
    if candidacy.status is Status.UNDER_REVIEW:
        before = await store.round_of(await uow.sql(), candidacy)
        after = cancel(before, trigger, by=by, at=now, reason=reason)
        await store.save(uow, candidacy, after, after.since(before))
        ended = after.candidacy
    else:
        ended = transition(candidacy, trigger, by=by, at=now, reason=reason)
        await store.save_candidacy(uow, candidacy, ended)
    details = {"trigger": trigger, "from": candidacy.status, "reason": reason}
    uow.audit(by, f"{candidacy.noun}.{ended.status}", str(candidacy.id), details)
    return ended
