"""An acceptance past the policy, in an emergency: by whom the policy lets, for as long as it lets, and never unseen."""

from uuid import UUID

from assent_common.http.problems import NotFound
from assent_common.identity.roles import Principal
from assent_common.uow import UnitOfWork

from assent_workflow import subjects
from assent_workflow.candidacies import store
from assent_workflow.candidacies.model import ImpossibleTransition, Status, Trigger
from assent_workflow.policies import store as policies
from assent_workflow.reviews import model


async def override(uow: UnitOfWork, id_: UUID, reason: str, *, by: Principal) -> None:
    """Raises NotFound, ImpossibleTransition, or a `Refused`."""
    connection = await uow.sql()
    await subjects.hold(connection, id_)
    locked = await store.lock(connection, [id_])
    if not locked:
        raise NotFound(f"there is no candidacy {id_}")
    [candidacy] = locked
    if candidacy.status is not Status.UNDER_REVIEW:
        raise ImpossibleTransition(id_, candidacy.status, Trigger.OVERRIDE)
    before = await store.round_of(connection, candidacy)
    policy = await policies.pinned(connection, before.review.policy)
    now = uow.clock.now()
    subject = await subjects.subject_of(connection, candidacy)
    assessment = await subjects.assessed(connection, policy, subject, now, review=before.review.id)
    after = model.override(before, assessment, reason, by=by, at=now)
    await store.save(uow, candidacy, after, after.since(before), facts=assessment.facts)
    details = {
        "policy": after.review.policy,
        "review": str(after.review.id),
        "reason": reason,
        "missing": list(before.waiting_for),
        "content_hash": after.review.content_hash,
        "checks": [check.model_dump(mode="json") for check in after.review.checks],
    }
    uow.audit(by.subject, "candidacy.overridden", str(candidacy.id), details)
