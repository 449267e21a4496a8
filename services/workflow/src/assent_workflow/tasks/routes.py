"""`/v1/tasks`: what is asked of whom, and the decision."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import asyncpg
from assent_common import telemetry
from assent_common.database import Database
from assent_common.events.governance import TaskStatus
from assent_common.http.app import router
from assent_common.http.etags import IfMatch, etag, require_match
from assent_common.http.idempotency import IdempotencyKey, once
from assent_common.http.pages import CursorText, Limit, Page, page, read_cursor
from assent_common.http.problems import Conflict, Forbidden, NotFound, Stale, documented
from assent_common.identity.roles import Principal, Reader, Role, allow
from fastapi import Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from assent_workflow.evidence.schemas import EvidenceIn
from assent_workflow.problems import spoken
from assent_workflow.reviews.decide import decide
from assent_workflow.reviews.model import Verdict

routes = router(tags=["tasks"])

APPROVERS = (
    *(Role.DATA_SCIENTIST, Role.DATA_STEWARD, Role.LEGAL, Role.RISK, Role.SECURITY, Role.BUSINESS_OWNER),
    # No task is for an administrator: he is told so by the task itself.
    Role.ADMIN,
)
Approver = Annotated[Principal, allow(*APPROVERS)]

_SELECT = """
select t.*, c.use_case, c.model_version, c.put_forward_by, v.traceparent
  from tasks t
  join candidacies c on c.id = t.candidacy
  left join model_versions v on v.urn = c.model_version
"""
ONE = _SELECT + " where t.id = $1"
OF_REVIEW = _SELECT + " where t.review = $1 order by t.id"
# `mine`: what a person of these roles can decide now: open, and not put forward by that person.
# Index: tasks_open for the inbox, tasks_candidacy, else the primary key.
LIST = (
    _SELECT
    + """
 where ($1::uuid is null or t.candidacy = $1)
   and ($2::text is null or t.role = $2)
   and ($3::text is null or t.status = $3)
   and ($4::boolean is null or (t.status = 'open' and t.due_at < now()) = $4)
   and ($5::text[] is null or (t.status = 'open' and t.role = any($5)
        and (c.put_forward_by, c.put_forward_by_issuer) <> ($6::text, $7::text)))
   and ($8::timestamptz is null or (t.due_at, t.id) > ($8, $9))
 order by t.due_at, t.id
 limit $10
"""
)


class Decision(BaseModel):
    """A verdict, and why. To reject or to request changes needs a comment."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"verdict": "approve", "comment": "The DPIA covers this data."}}
    )

    verdict: Verdict
    comment: Annotated[str | None, Field(max_length=4000)] = None
    evidence: Annotated[list[EvidenceIn], Field(max_length=20, description="What the decision rests on")] = []


class TaskOut(BaseModel):
    """One approval asked of one role."""

    id: UUID
    review: UUID
    candidacy: UUID
    use_case: str
    model_version: str
    put_forward_by: str
    stage: str
    role: str
    #: Of several people of the role who are asked, the how-manieth.
    seat: int
    status: TaskStatus
    #: For whom it is meant, where the use case names somebody.
    assignee: str | None
    opened_at: datetime
    due_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    #: For whom, where it was decided by one who stands in.
    on_behalf_of: str | None
    comment: str | None
    #: The task of an earlier round whose approval counts on here.
    kept_from: UUID | None
    #: Why the approval last given here does not count any more.
    dismissed: str | None


@routes.get("/tasks", summary="List tasks, the most urgent first")
async def list_tasks(
    request: Request,
    who: Reader,
    candidacy: UUID | None = None,
    role: Annotated[str | None, Query(max_length=50)] = None,
    status: TaskStatus | None = None,
    overdue: Annotated[bool | None, Query(description="Open and past its due time")] = None,
    mine: Annotated[bool, Query(description="Only what the caller can decide now")] = False,
    limit: Limit = 50,
    cursor: CursorText = None,
) -> Page[TaskOut]:
    """The inbox is `?mine=true`."""
    selection = [candidacy, role, status, overdue, mine, who.subject if mine else None]
    after = read_cursor(cursor, of=selection, shape=[datetime.fromisoformat, UUID]) or [None, None]
    roles = [role_.value for role_ in who.roles] if mine else None
    database: Database = request.app.state.database
    async with database.connection() as connection:
        rows = await connection.fetch(
            LIST, candidacy, role, status, overdue, roles, who.subject, who.issuer, *after, limit + 1
        )
    tasks = [TaskOut.model_validate(dict(row)) for row in rows]
    items, next_cursor = page(tasks, limit, key=lambda task: [task.due_at.isoformat(), task.id], of=selection)
    return Page(items=items, next_cursor=next_cursor)


@routes.get("/tasks/{id}", summary="Read a task", responses=documented(NotFound))
async def get_task(id: UUID, request: Request, response: Response, _: Reader) -> TaskOut:
    """One approval asked of one role, within a review."""
    database: Database = request.app.state.database
    async with database.connection() as connection:
        row = await _row(connection, id)
    response.headers["ETag"] = etag(row["sequence"])
    return TaskOut.model_validate(dict(row))


@routes.post(
    "/tasks/{id}/decision",
    summary="Decide a task",
    response_model=TaskOut,
    responses=documented(Forbidden, NotFound, Conflict, Stale),
)
async def decide_task(
    id: UUID,
    decision: Decision,
    request: Request,
    who: Approver,
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """For holders of the task's role, once, and never for who put the version forward. The last approval accepts."""
    database: Database = request.app.state.database
    async with database.transaction() as uow:
        connection = await uow.sql()

        async def act() -> Response:
            before = await _row(connection, id)
            if if_match is not None:
                require_match(if_match, before["sequence"])
            # The decision is its own story, linked to the observation that it judges.
            with (
                telemetry.tracer.start_as_current_span("decide", links=telemetry.link_to(before["traceparent"])),
                spoken(),
            ):
                await decide(uow, id, decision.verdict, decision.comment, by=who, evidence=decision.evidence)
            after = await _row(connection, id)
            task = TaskOut.model_validate(dict(after))
            headers = {"ETag": etag(after["sequence"])}
            return Response(task.model_dump_json(), 200, headers, "application/json")

        return await once(uow, request, who, idempotency_key, act)


async def tasks_of_review(connection: asyncpg.Connection, review: UUID) -> list[TaskOut]:
    return [TaskOut.model_validate(dict(row)) for row in await connection.fetch(OF_REVIEW, review)]


async def _row(connection: asyncpg.Connection, id_: UUID) -> Mapping[str, Any]:
    row: Mapping[str, Any] | None = await connection.fetchrow(ONE, id_)
    if row is None:
        raise NotFound(f"there is no task {id_}")
    return row
