"""`/v1/reviews`."""

from datetime import datetime
from typing import Any
from uuid import UUID

from assent_common.database import Database
from assent_common.events.governance import CheckResult
from assent_common.http.app import router
from assent_common.http.etags import etag
from assent_common.http.problems import NotFound, documented
from assent_common.identity.roles import Reader
from fastapi import Request, Response
from pydantic import BaseModel

from assent_workflow.reviews.model import ReviewStatus
from assent_workflow.tasks.routes import TaskOut, tasks_of_review

routes = router(tags=["reviews"])

ONE = """
select r.*, c.use_case, c.model_version from reviews r join candidacies c on c.id = r.candidacy where r.id = $1
"""


class ReviewOut(BaseModel):
    """One round of judging, with what was judged and everybody who was asked."""

    id: UUID
    candidacy: UUID
    use_case: str
    model_version: str
    policy: str
    status: ReviewStatus
    content_hash: str
    #: What is judged, part by part.
    content: dict[str, Any]
    checks: list[CheckResult]
    tasks: list[TaskOut]
    requested_by: str
    requested_at: datetime
    ended_at: datetime | None


@routes.get("/reviews/{id}", summary="Read a review", responses=documented(NotFound))
async def get_review(id: UUID, request: Request, response: Response, _: Reader) -> ReviewOut:
    """Pinned to a policy version and to the content that was judged."""
    database: Database = request.app.state.database
    async with database.connection() as connection:
        row = await connection.fetchrow(ONE, id)
        if row is None:
            raise NotFound(f"there is no review {id}")
        tasks = await tasks_of_review(connection, id)
    response.headers["ETag"] = etag(row["sequence"])
    members = {**row, "content": row["content"], "checks": row["checks"], "tasks": tasks}
    return ReviewOut.model_validate(members)
