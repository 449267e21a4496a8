"""Submit a candidacy: a review opens, pinned to the policy that applies now and to the content that stands now."""

from uuid import UUID

from assent_common.http.problems import Conflict, NotFound
from assent_common.uow import UnitOfWork

from assent_workflow import subjects
from assent_workflow.candidacies import store
from assent_workflow.candidacies.model import Candidacy
from assent_workflow.policies import store as policies
from assent_workflow.policies.select import NoOnePolicy
from assent_workflow.reviews.model import Change, Round, open_review


async def submit(uow: UnitOfWork, id_: UUID, *, by: str) -> None:
    """Raises NotFound, Conflict or ImpossibleTransition."""
    connection = await uow.sql()
    await subjects.hold(connection, id_)
    locked = await store.lock(connection, [id_])
    if not locked:
        raise NotFound(f"there is no candidacy {id_}")
    await submit_locked(uow, locked[0], by=by)


async def submit_locked(uow: UnitOfWork, candidacy: Candidacy, *, by: str) -> Round:
    """For one whose row is locked."""
    connection = await uow.sql()
    subject = await subjects.subject_of(connection, candidacy)
    if not subject.version.live:
        raise Conflict("its source no longer has this model version")
    try:
        policy = subjects.select(await policies.everything(connection), subject)
    except NoOnePolicy as error:
        raise Conflict(str(error)) from error
    opened = open_review(candidacy, subjects.assess(policy, subject), requested_by=by, at=uow.clock.now())
    change = Change(opened.candidacy, opened.review, opened.tasks)
    await store.save(uow, candidacy, opened, change, content=subject.version.content)
    details = {
        "policy": policy.ref,
        "review": str(opened.review.id),
        "content_hash": opened.review.content_hash,
        "content": subject.version.content,
        "checks": [check.model_dump(mode="json") for check in opened.review.checks],
    }
    uow.audit(by, "candidacy.submitted", str(candidacy.id), details)
    return opened
