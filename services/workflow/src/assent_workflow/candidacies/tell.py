"""What the world is told of what is judged, of rounds and of tasks."""

from typing import Any

from assent_common.events.governance import (
    CandidacyChanged,
    CandidacyStatus,
    ReviewRequested,
    StepChanged,
    StepStatus,
    TaskChanged,
)
from assent_common.kafka.topics import GOVERNANCE
from assent_common.uow import UnitOfWork

from assent_workflow.candidacies.model import Candidacy, Matter, Step
from assent_workflow.reviews.changes import Since
from assent_workflow.reviews.round import Review, Task


def matter(uow: UnitOfWork, changed: Matter) -> None:
    match changed:
        case Candidacy():
            _candidacy(uow, changed)
        case Step():
            _step(uow, changed)


def about(judged: Matter) -> dict[str, Any]:
    """How events say what they are about."""
    match judged:
        case Candidacy():
            return {"candidacy": judged.id, "use_case": judged.use_case, "model_version": judged.model_version}
        case Step():
            return {
                "candidacy": None,
                "use_case": judged.use_case,
                "model_version": None,
                "step": judged.id,
                "to": judged.to,
            }
    raise TypeError(type(judged))


def _candidacy(uow: UnitOfWork, candidacy: Candidacy) -> None:
    uow.emit(
        GOVERNANCE,
        "assent.governance.candidacy.changed.v1",
        str(candidacy.id),
        candidacy.sequence,
        CandidacyChanged(
            id=candidacy.id,
            use_case=candidacy.use_case,
            use_case_id=candidacy.use_case_id,
            model_version=candidacy.model_version,
            version_created_at=candidacy.version_created_at,
            status=candidacy.status,
            reason=candidacy.reason,
            content_hash=candidacy.content_hash,
            review=candidacy.review,
            policy=candidacy.policy,
            put_forward_by=candidacy.put_forward_by.subject,
            changed_by=candidacy.changed_by,
            changed_at=candidacy.changed_at,
            expires_at=candidacy.expires_at,
            overridden_by=candidacy.overridden_by,
            environments=candidacy.environments,
        ),
    )


def _step(uow: UnitOfWork, step: Step) -> None:
    uow.emit(
        GOVERNANCE,
        "assent.governance.step.changed.v1",
        str(step.id),
        step.sequence,
        StepChanged(
            id=step.id,
            use_case=step.use_case,
            use_case_id=step.use_case_id,
            to=step.to,
            status=status_in_words(step.status, step.policy),
            reason=step.reason,
            content_hash=step.content_hash,
            review=step.review,
            policy=step.policy,
            put_forward_by=step.put_forward_by.subject,
            changed_by=step.changed_by,
            changed_at=step.changed_at,
            expires_at=step.expires_at,
            accepted_at=step.accepted_at,
        ),
    )


def status_in_words(status: CandidacyStatus, policy: str | None) -> StepStatus:
    """In those of use cases. What was sent back is proposed anew, as another step."""
    if status is CandidacyStatus.CANDIDATE:
        return StepStatus.CHANGES_REQUESTED
    if status is CandidacyStatus.RETIRED and policy is None:
        return StepStatus.NOT_ASKED
    return StepStatus(status.value)


def review(uow: UnitOfWork, judged: Matter, asked: Review, since: Since) -> None:
    uow.emit(
        GOVERNANCE,
        "assent.governance.review.requested.v1",
        str(asked.id),
        asked.sequence,
        ReviewRequested(
            id=asked.id,
            **about(judged),
            policy=asked.policy,
            content_hash=asked.content_hash,
            status=asked.status,
            checks=list(asked.checks),
            requested_by=asked.requested_by,
            requested_at=asked.requested_at,
            ended_at=asked.ended_at,
            since_accepted=since.accepted.told if since.accepted else None,
            since_last_round=since.last_round.told if since.last_round else None,
        ),
    )


def task(uow: UnitOfWork, judged: Matter, asked: Task) -> None:
    uow.emit(
        GOVERNANCE,
        "assent.governance.task.changed.v1",
        str(asked.id),
        asked.sequence,
        TaskChanged(
            id=asked.id,
            review=asked.review,
            **about(judged),
            stage=asked.stage,
            role=asked.role,
            seat=asked.seat,
            status=asked.status,
            opened_at=asked.opened_at,
            due_at=asked.due_at,
            assignee=asked.assignee,
            group=asked.group,
            decided_by=asked.decided_by.subject if asked.decided_by else None,
            decided_at=asked.decided_at,
            on_behalf_of=asked.on_behalf_of.subject if asked.on_behalf_of else None,
            comment=asked.comment,
            kept_from=asked.kept_from,
        ),
    )
