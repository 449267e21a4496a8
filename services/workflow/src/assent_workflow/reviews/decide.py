"""One person's verdict on one task."""

from collections.abc import Sequence
from uuid import UUID

from assent_common.http.problems import NotFound
from assent_common.identity.roles import Principal
from assent_common.uow import UnitOfWork

from assent_workflow import subjects
from assent_workflow.candidacies import store
from assent_workflow.comments import store as comments
from assent_workflow.delegations import store as delegations
from assent_workflow.evidence import store as evidence_rows
from assent_workflow.evidence.schemas import EvidenceIn
from assent_workflow.identities.model import Person
from assent_workflow.policies import store as policies
from assent_workflow.reviews import model
from assent_workflow.reviews.model import Verdict

PLACE = "select candidacy, review from tasks where id = $1"


async def decide(
    uow: UnitOfWork,
    task_id: UUID,
    verdict: Verdict,
    comment: str | None,
    *,
    by: Principal,
    evidence: Sequence[EvidenceIn] = (),
) -> None:
    """The comment is in the review's thread then, and the evidence beside it. Raises NotFound, or a `Refused`.

    Two who decide at once: the second waits for the candidacy's row, and then sees what the first has done.
    """
    connection = await uow.sql()
    place = await connection.fetchrow(PLACE, task_id)
    if place is None:
        raise NotFound(f"there is no task {task_id}")
    await subjects.hold(connection, place["candidacy"])
    [candidacy] = await store.lock(connection, [place["candidacy"]])
    before = await store.round_of(connection, candidacy, place["review"])
    subject = await subjects.subject_of(connection, candidacy)
    policy = await policies.pinned(connection, before.review.policy)
    now = uow.clock.now()
    after = model.decide(
        before,
        task_id,
        verdict,
        comment,
        by=by,
        assessment=subjects.assess(policy, subject, now),
        at=now,
        delegations=await delegations.given_to(connection, Person(by.issuer, by.subject), now),
    )
    await store.save(uow, candidacy, after, after.since(before))
    task, person = after.task(task_id), Person(by.issuer, by.subject)
    if task.comment is not None:
        await comments.add(uow, candidacy, task.review, task.comment, by=person, task=task.id, verdict=verdict)
    attached = await evidence_rows.attach(uow, candidacy, task.review, evidence, by=person, task=task.id)
    details = {
        "task": str(task_id),
        "role": task.role,
        "verdict": verdict,
        "on_behalf_of": task.on_behalf_of.subject if task.on_behalf_of else None,
        "comment": task.comment,
        "evidence": [{name: row[name] for name in ("name", "uri", "sha256")} for row in attached],
        "policy": after.review.policy,
        "content_hash": after.review.content_hash,
        "checks": [check.model_dump(mode="json") for check in after.review.checks],
    }
    uow.audit(by.subject, f"task.{task.status}", str(candidacy.id), details)
    if after.candidacy.status is not candidacy.status:
        details = {"policy": after.review.policy, "reason": after.candidacy.reason}
        uow.audit(by.subject, f"candidacy.{after.candidacy.status}", str(candidacy.id), details)
