"""One person's verdict on one task."""

from collections.abc import Sequence
from uuid import UUID

from assent_common.identity.roles import Principal
from assent_common.uow import UnitOfWork

from assent_workflow.candidacies import store
from assent_workflow.comments import store as comments
from assent_workflow.evidence import store as evidence_rows
from assent_workflow.evidence.schemas import EvidenceIn
from assent_workflow.identities.model import Person
from assent_workflow.reviews import model
from assent_workflow.reviews.model import Verdict
from assent_workflow.reviews.placed import placed
from assent_workflow.steps.accepted import accepted


async def decide(
    uow: UnitOfWork,
    task_id: UUID,
    verdict: Verdict,
    comment: str | None,
    *,
    by: Principal,
    evidence: Sequence[EvidenceIn] = (),
) -> None:
    """The comment is in the review's thread then, and the evidence beside it. Raises NotFound, or a `Refused`."""
    place = await placed(uow, task_id, by=by, decides=True)
    candidacy, before = place.candidacy, place.round
    after = model.decide(
        before,
        task_id,
        verdict,
        comment,
        by=place.by,
        assessment=place.assessment,
        at=place.at,
        delegations=place.delegations,
    )
    await store.save(uow, candidacy, after, after.since(before), facts=place.assessment.facts)
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
        uow.audit(by.subject, f"{candidacy.noun}.{after.candidacy.status}", str(candidacy.id), details)
        await accepted(uow, candidacy, after.candidacy, by=by.subject)
