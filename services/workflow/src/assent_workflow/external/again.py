"""A check of another system is asked again: its answer was a no that was mended, is old, or is waited for too long."""

from uuid import UUID

from assent_common.events.governance import CheckResult
from assent_common.http.problems import NotFound
from assent_common.identity.roles import Principal
from assent_common.uow import UnitOfWork

from assent_workflow import subjects
from assent_workflow.candidacies import store as candidacies
from assent_workflow.external import store
from assent_workflow.reviews.duties import is_open
from assent_workflow.reviews.joined import join
from assent_workflow.reviews.watch import go_on


async def ask_again(uow: UnitOfWork, review: UUID, name: str, *, by: Principal) -> CheckResult:
    """How the check stands then: what was answered counts no more, and is on record. Raises NotFound, or a `Refused`.

    By one who takes part. It is another question, under another id, where it was answered: the other side is to look
    again, not to say what it said. Until it has, the check is not passed.
    """
    connection = await uow.sql()
    joined = await join(uow, review, by=by)
    asked = await store.lock(connection, review, name)
    before = asked.get(joined.round.review.content_hash)
    if before is None:
        raise NotFound(f"the review {review} asks no other system of {name!r}")
    is_open(joined.round.review)
    await store.ask_anew(connection, before)
    details = {
        "check": name,
        "review": str(review),
        "url": before["url"],
        "content_hash": before["content_hash"],
        "passed": before["passed"],
        "reason": before["reason"] or before["last_error"],
        "digest": before["digest"],
        "answered_at": before["answered_at"].isoformat() if before["answered_at"] else None,
    }
    uow.audit(by.subject, "check.asked_again", str(joined.candidacy.id), details)
    await go_on(uow, joined.candidacy, await subjects.subject_of(connection, joined.candidacy))
    after = await candidacies.round_of(connection, joined.candidacy, review)
    return next(check for check in after.review.checks if check.name == name)
