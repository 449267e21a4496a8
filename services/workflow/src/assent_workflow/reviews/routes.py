"""`/v1/reviews`."""

from datetime import datetime
from typing import Any
from uuid import UUID

from assent_common.content import Change
from assent_common.database import Database
from assent_common.events.catalog import Stage
from assent_common.events.governance import CheckResult, ContentDifference, MetricDifference
from assent_common.http.app import router
from assent_common.http.etags import etag
from assent_common.http.problems import NotFound, documented
from assent_common.identity.roles import Reader
from fastapi import Request, Response
from pydantic import BaseModel

from assent_workflow.evidence import store as evidence
from assent_workflow.evidence.schemas import EvidenceOut
from assent_workflow.reviews.changes import since_others
from assent_workflow.reviews.compare import Comparison
from assent_workflow.reviews.model import ReviewStatus
from assent_workflow.tasks.routes import tasks_of_review
from assent_workflow.tasks.schemas import TaskOut

routes = router(tags=["reviews"])

MAX_CHANGES = 1_000
ONE = """
select r.*, c.use_case, c.model_version, c.step_to from reviews r join candidacies c on c.id = r.candidacy
 where r.id = $1
"""


class ReviewOut(BaseModel):
    """One round of judging, with what was judged and everybody who was asked."""

    id: UUID
    #: Null where a step of the use case is judged.
    candidacy: UUID | None
    use_case: str
    model_version: str | None
    #: The step that is judged, and where it leads.
    step: UUID | None
    to: Stage | None
    policy: str
    status: ReviewStatus
    content_hash: str
    #: What is judged, part by part.
    content: dict[str, Any]
    checks: list[CheckResult]
    tasks: list[TaskOut]
    #: What it rests on, the oldest first.
    evidence: list[EvidenceOut]
    requested_by: str
    requested_at: datetime
    ended_at: datetime | None
    #: What it differs in from what was last accepted for the use case before; null where nothing was.
    since_accepted: ContentDifference | None
    #: What it differs in from the candidacy's round before; null for the first.
    since_last_round: ContentDifference | None


class ComparisonOut(BaseModel):
    """What the content under review differs in from what another review judged."""

    #: The other review.
    review: UUID
    #: Null of a use case.
    model_version: str | None
    status: ReviewStatus
    content_hash: str
    requested_at: datetime
    ended_at: datetime | None
    #: The parts that differ, as policies name them.
    parts: list[str]
    #: Field by field, sorted.
    changes: list[Change]
    #: How many more fields differ than are shown.
    more: int
    metrics: list[MetricDifference]

    @classmethod
    def of(cls, compared: Comparison) -> "ComparisonOut":
        before = compared.before
        return cls(
            review=before.review,
            model_version=before.model_version,
            status=ReviewStatus(before.status),
            content_hash=before.content_hash,
            requested_at=before.requested_at,
            ended_at=before.ended_at,
            parts=list(compared.parts),
            changes=list(compared.changes[:MAX_CHANGES]),
            more=max(len(compared.changes) - MAX_CHANGES, 0),
            metrics=list(compared.metrics),
        )


class ChangesOut(BaseModel):
    """What the content under review differs in from what was judged before."""

    #: From what was last accepted for the use case before this was asked for; null where nothing was.
    since_accepted: ComparisonOut | None
    #: From the candidacy's round before; null for the first.
    since_last_round: ComparisonOut | None


@routes.get("/reviews/{id}", summary="Read a review", responses=documented(NotFound))
async def get_review(id: UUID, request: Request, response: Response, _: Reader) -> ReviewOut:
    """Pinned to a policy version and to the content that was judged."""
    database: Database = request.app.state.database
    async with database.connection() as connection:
        row = await connection.fetchrow(ONE, id)
        if row is None:
            raise NotFound(f"there is no review {id}")
        tasks = await tasks_of_review(connection, id)
        since = await since_others(connection, id)
        attached = await evidence.of_review(connection, id)
    response.headers["ETag"] = etag(row["sequence"])
    members = {
        **row,
        "candidacy": row["candidacy"] if row["step_to"] is None else None,
        "step": row["candidacy"] if row["step_to"] is not None else None,
        "to": row["step_to"],
        "tasks": tasks,
        "evidence": [EvidenceOut.model_validate(dict(each)) for each in attached],
        "since_accepted": since.accepted.told if since.accepted else None,
        "since_last_round": since.last_round.told if since.last_round else None,
    }
    return ReviewOut.model_validate(members)


@routes.get("/reviews/{id}/changes", summary="Read what changed", responses=documented(NotFound))
async def get_review_changes(id: UUID, request: Request, _: Reader) -> ChangesOut:
    """Since the use case's last acceptance, and since the round before: by what each was pinned to, field by field."""
    database: Database = request.app.state.database
    async with database.connection() as connection:
        if await connection.fetchrow(ONE, id) is None:
            raise NotFound(f"there is no review {id}")
        since = await since_others(connection, id)
    return ChangesOut(
        since_accepted=ComparisonOut.of(since.accepted) if since.accepted else None,
        since_last_round=ComparisonOut.of(since.last_round) if since.last_round else None,
    )
