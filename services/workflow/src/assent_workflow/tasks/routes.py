"""`/v1/tasks`: what is asked of whom, who takes it on, and the decision."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import asyncpg
from assent_common import telemetry
from assent_common.database import Database
from assent_common.events.governance import TaskStatus
from assent_common.events.model import UtcTime
from assent_common.http.app import router
from assent_common.http.etags import IfMatch, etag, require_match
from assent_common.http.idempotency import IdempotencyKey, once
from assent_common.http.pages import CursorText, Limit, page, read_cursor
from assent_common.http.problems import Conflict, Forbidden, NotFound, Stale, documented
from assent_common.identity.roles import Principal, Reader, Role, Whose, allow
from assent_common.uow import UnitOfWork
from fastapi import Query, Request, Response

from assent_workflow.identities.store import with_groups
from assent_workflow.policies.model import About
from assent_workflow.problems import spoken
from assent_workflow.reviews.decide import decide
from assent_workflow.tasks import inbox
from assent_workflow.tasks.assign import assign, claim, release
from assent_workflow.tasks.duties import duties_of
from assent_workflow.tasks.schemas import Assignment, Decision, TaskOut, TaskPage
from assent_workflow.tasks.standing_in import delegated_to

routes = router(tags=["tasks"])

APPROVERS = (
    *(Role.DATA_SCIENTIST, Role.DATA_STEWARD, Role.LEGAL, Role.RISK, Role.SECURITY, Role.BUSINESS_OWNER),
    # No task is for an administrator: he is told so by the task itself.
    Role.ADMIN,
)
Decider = Annotated[Principal, allow(*APPROVERS, whose=Whose.DECIDERS)]
Holder = Annotated[Principal, allow(*APPROVERS, whose=Whose.HOLDERS)]
Lead = Annotated[Principal, allow(Role.RISK, Role.ADMIN)]

ONE = inbox.SELECT + " where t.id = $1"
OF_REVIEW = inbox.SELECT + " where t.review = $1 order by t.id"
Act = Callable[[UnitOfWork], Awaitable[None]]


@routes.get("/tasks", summary="List tasks, the most urgent first")
async def list_tasks(
    request: Request,
    who: Reader,
    candidacy: UUID | None = None,
    step: Annotated[UUID | None, Query(description="A use case's step")] = None,
    about: Annotated[About | None, Query(description="What is judged")] = None,
    role: Annotated[str | None, Query(max_length=50)] = None,
    status: TaskStatus | None = None,
    overdue: Annotated[bool | None, Query(description="Open and past its due time")] = None,
    mine: Annotated[bool, Query(description="Only what the caller can decide now")] = False,
    assignee: Annotated[str | None, Query(max_length=255, description="Who has it: a subject, or `me`")] = None,
    assigned: Annotated[bool | None, Query(description="Whether anybody has it")] = None,
    stage: Annotated[str | None, Query(max_length=63)] = None,
    use_case: Annotated[str | None, Query(max_length=200, description="Key")] = None,
    model: Annotated[str | None, Query(max_length=2048, description="Urn or name of the model")] = None,
    model_version: Annotated[str | None, Query(max_length=2048, description="Urn")] = None,
    due_before: UtcTime | None = None,
    counts: Annotated[bool, Query(description="Say, too, how many the filters leave, and of what")] = False,
    limit: Limit = 50,
    cursor: CursorText = None,
) -> TaskPage:
    """The inbox is `?mine=true`; what its reader has taken on, `?assignee=me`. Filters narrow each other."""
    database: Database = request.app.state.database
    async with database.connection() as connection:
        selection = inbox.Selection(
            candidacy=candidacy,
            step=step,
            about=about,
            role=role,
            status=status,
            overdue=overdue,
            assignee=who.subject if assignee == "me" else assignee,
            assigned=assigned,
            stage=stage,
            use_case=use_case,
            model=model,
            model_version=model_version,
            due_before=due_before,
            mine=await with_groups(connection, who) if mine else None,
            delegated=await delegated_to(connection, who, database.clock.now()) if mine else (),
            duties=await duties_of(connection, who) if mine else inbox.NO_DUTIES,
        )
        after = read_cursor(cursor, of=selection.key, shape=[datetime.fromisoformat, UUID])
        rows = await inbox.page(connection, selection, after=(after[0], after[1]) if after else None, limit=limit + 1)
        counted = await inbox.counts(connection, selection) if counts else None
    tasks = [TaskOut.model_validate(dict(row)) for row in rows]
    items, next_cursor = page(tasks, limit, key=lambda task: [task.due_at.isoformat(), task.id], of=selection.key)
    return TaskPage(items=items, next_cursor=next_cursor, counts=counted)


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
    who: Decider,
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """For holders of the task's role, once, and never for who put the version forward. The last approval accepts."""

    async def act(uow: UnitOfWork) -> None:
        await decide(uow, id, decision.verdict, decision.comment, by=who, evidence=decision.evidence)

    return await _act(request, id, who, if_match, idempotency_key, "decide", act)


@routes.post(
    "/tasks/{id}/claim",
    summary="Take a task on",
    response_model=TaskOut,
    responses=documented(Forbidden, NotFound, Conflict, Stale),
)
async def claim_task(
    id: UUID, request: Request, who: Decider, if_match: IfMatch = None, idempotency_key: IdempotencyKey = None
) -> Response:
    """For who may decide it, where nobody has it: others see whose it is. It lets nobody decide who otherwise may not,
    and keeps nobody from deciding who may."""

    async def act(uow: UnitOfWork) -> None:
        await claim(uow, id, by=who)

    return await _act(request, id, who, if_match, idempotency_key, "claim", act)


@routes.post(
    "/tasks/{id}/release",
    summary="Give a task back",
    response_model=TaskOut,
    responses=documented(Forbidden, NotFound, Conflict, Stale),
)
async def release_task(
    id: UUID, request: Request, who: Holder, if_match: IfMatch = None, idempotency_key: IdempotencyKey = None
) -> Response:
    """By who has it, or by risk or an admin."""

    async def act(uow: UnitOfWork) -> None:
        await release(uow, id, by=who)

    return await _act(request, id, who, if_match, idempotency_key, "release", act)


@routes.post(
    "/tasks/{id}/assign",
    summary="Give a task to somebody",
    response_model=TaskOut,
    responses=documented(Forbidden, NotFound, Conflict, Stale),
)
async def assign_task(
    id: UUID,
    given: Assignment,
    request: Request,
    who: Lead,
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """In whoever's place; not to one of whom it is known that he could not decide it."""

    async def act(uow: UnitOfWork) -> None:
        await assign(uow, id, given.assignee, by=who)

    return await _act(request, id, who, if_match, idempotency_key, "assign", act)


async def tasks_of_review(connection: asyncpg.Connection, review: UUID) -> list[TaskOut]:
    return [TaskOut.model_validate(dict(row)) for row in await connection.fetch(OF_REVIEW, review)]


async def _act(
    request: Request, id_: UUID, who: Principal, if_match: str | None, key: str | None, span: str, act: Act
) -> Response:
    """And answer with the task as it stands then."""
    database: Database = request.app.state.database
    async with database.transaction() as uow:
        connection = await uow.sql()

        async def answer() -> Response:
            before = await _row(connection, id_)
            if if_match is not None:
                require_match(if_match, before["sequence"])
            # What is done is its own story, linked to the observation that it judges.
            links = telemetry.link_to(before["traceparent"])
            with telemetry.tracer.start_as_current_span(span, links=links), spoken():
                await act(uow)
            after = await _row(connection, id_)
            task = TaskOut.model_validate(dict(after))
            headers = {"ETag": etag(after["sequence"])}
            return Response(task.model_dump_json(), 200, headers, "application/json")

        return await once(uow, request, who, key, answer)


async def _row(connection: asyncpg.Connection, id_: UUID) -> Mapping[str, Any]:
    row: Mapping[str, Any] | None = await connection.fetchrow(ONE, id_)
    if row is None:
        raise NotFound(f"there is no task {id_}")
    return row
