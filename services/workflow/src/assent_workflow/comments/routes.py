"""`/v1/reviews/{id}/comments`."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from assent_common.database import Database
from assent_common.http.app import router
from assent_common.http.idempotency import IdempotencyKey, once
from assent_common.http.pages import CursorText, Limit, Page, paged, read_cursor
from assent_common.http.problems import Forbidden, Invalid, NotFound, documented
from assent_common.identity.roles import Principal, Reader, Role, Whose, allow
from fastapi import Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from assent_workflow.comments import store
from assent_workflow.policies.model import Role as ApproverRole
from assent_workflow.problems import spoken
from assent_workflow.reviews.joined import join
from assent_workflow.reviews.model import MAX_COMMENT_LENGTH, Verdict, worded

routes = router(tags=["reviews"])

Participant = Annotated[Principal, allow(*(Role(role.value) for role in ApproverRole), whose=Whose.PARTICIPANTS)]
EXISTS = "select from reviews where id = $1"


class CommentIn(BaseModel):
    """What somebody has to say. It is there for good: who thinks otherwise later says so."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"body": "The **recall** of the over-60s fell. Why?"}}
    )

    body: Annotated[str, Field(min_length=1, max_length=MAX_COMMENT_LENGTH, description="Markdown")]
    task: Annotated[UUID | None, Field(description="The task that it is about, where it is about one")] = None


class CommentOut(BaseModel):
    """What somebody said of a review, or gave as the reason for a decision."""

    id: UUID
    review: UUID
    #: The task that it is about.
    task: UUID | None
    author: str
    #: Markdown, as it was written: whoever shows it makes it safe.
    body: str
    #: The decision that it gives the reason for.
    verdict: Verdict | None
    added_at: datetime


@routes.get("/reviews/{id}/comments", summary="List what was said", responses=documented(NotFound))
async def list_comments(
    id: UUID,
    request: Request,
    _: Reader,
    task: Annotated[UUID | None, Query(description="Only what is about this task")] = None,
    limit: Limit = 50,
    cursor: CursorText = None,
) -> Page[CommentOut]:
    """One thread, the oldest first, with the reasons that decisions were given."""
    selection = [id, task]
    after = read_cursor(cursor, of=selection, shape=[UUID]) or [None]
    database: Database = request.app.state.database
    async with database.connection() as connection:
        if await connection.fetchrow(EXISTS, id) is None:
            raise NotFound(f"there is no review {id}")
        rows = await store.page(connection, id, task=task, after=after[0], limit=limit + 1)
    found = [CommentOut.model_validate(dict(row)) for row in rows]
    return paged(found, limit, key=lambda comment: [comment.id], of=selection)


@routes.post(
    "/reviews/{id}/comments",
    summary="Say something of a review",
    status_code=201,
    response_model=CommentOut,
    responses=documented(Forbidden, NotFound, Invalid),
)
async def create_comment(
    id: UUID, given: CommentIn, request: Request, who: Participant, idempotency_key: IdempotencyKey = None
) -> Response:
    """For who put it forward, whom it asks, whom the use case names, and who stands in for one of them."""
    database: Database = request.app.state.database
    async with database.transaction() as uow:

        async def act() -> Response:
            with spoken():
                body = worded(given.body, what="this")
                assert body is not None
                joined = await join(uow, id, by=who, task=given.task)
            row = await store.add(uow, joined.candidacy, id, body, by=joined.by, task=given.task)
            made = CommentOut.model_validate(row)
            headers = {"Location": f"/v1/reviews/{id}/comments"}
            return Response(made.model_dump_json(), 201, headers, "application/json")

        return await once(uow, request, who, idempotency_key, act)
