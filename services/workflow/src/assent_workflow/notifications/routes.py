"""`/v1/notifications`: who was told of what, and how it went; `/v1/notification-rules`: by which rules."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from assent_common.database import Database
from assent_common.http.app import router
from assent_common.http.pages import CursorText, Limit, Page, paged, read_cursor
from assent_common.http.problems import Conflict, FieldError, Invalid, NotFound, documented
from assent_common.identity.roles import Principal, Reader, Role, allow
from fastapi import Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from assent_workflow.marked_yaml import TextInvalid
from assent_workflow.notifications import store

routes = router(tags=["notifications"])

Admin = Annotated[Principal, allow(Role.ADMIN)]


class Status(StrEnum):
    #: Gathered, until its digest is told.
    HELD = "held"
    WAITING = "waiting"
    DELIVERED = "delivered"
    #: Given up, or refused for good.
    FAILED = "failed"
    #: In its digest.
    TOLD = "told"
    #: Seen to before its digest was told.
    MOOT = "moot"


class Channel(StrEnum):
    MAIL = "mail"
    SLACK = "slack"


class NotificationOut(BaseModel):
    """What one address is told, and how the last attempt went."""

    id: UUID
    channel: Channel
    address: str
    #: `person:ada`, `role:legal`; or a channel of a chat.
    recipient: str
    kind: str
    #: The task, review, candidacy or finding; of a digest, itself.
    about: UUID
    subject: str
    text: str
    link: str | None
    #: The digest that it is gathered in.
    digest: UUID | None
    status: Status
    attempts: int
    next_try_at: datetime
    last_status: int | None
    last_error: str | None
    created_at: datetime
    delivered_at: datetime | None


class RulesIn(BaseModel):
    """Rules in place of those that stand, as YAML."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"text": store.DEFAULT}})

    text: Annotated[str, Field(min_length=1, max_length=100_000)]


class RulesOut(BaseModel):
    """Who is told of what. The newest version counts; without any, those that Assent ships."""

    #: 0 for those that Assent ships.
    version: int
    text: str
    created_by: str | None = None
    created_at: datetime | None = None


@routes.get("/notifications", summary="List notifications, the newest first")
async def list_notifications(
    request: Request,
    _: Admin,
    status: Status | None = None,
    channel: Channel | None = None,
    recipient: Annotated[str | None, Query(max_length=600, description="`person:ada`, `role:legal`")] = None,
    about: Annotated[UUID | None, Query(description="Id of a task, review, candidacy or finding")] = None,
    limit: Limit = 50,
    cursor: CursorText = None,
) -> Page[NotificationOut]:
    """Kept for thirty days."""
    selection = [status, channel, recipient, about]
    after = read_cursor(cursor, of=selection, shape=[datetime.fromisoformat, UUID]) or [None, None]
    database: Database = request.app.state.database
    async with database.connection() as connection:
        rows = await store.log(connection, selection, after, limit + 1)
    found = [NotificationOut.model_validate(dict(row)) for row in rows]
    return paged(found, limit, key=lambda each: [each.created_at.isoformat(), each.id], of=selection)


@routes.get("/notifications/{id}", summary="Read a notification", responses=documented(NotFound))
async def get_notification(id: UUID, request: Request, _: Admin) -> NotificationOut:
    """What it says, and how it went."""
    return NotificationOut.model_validate(dict(await _one(request, id)))


@routes.post(
    "/notifications/{id}/redeliver",
    summary="Send a notification once more",
    status_code=202,
    responses=documented(NotFound, Conflict),
)
async def redeliver_notification(id: UUID, request: Request, who: Admin) -> NotificationOut:
    """As the same message, so that a mail system can tell that it has it."""
    row = await _one(request, id)
    if row["status"] in (Status.HELD, Status.TOLD, Status.MOOT):
        raise Conflict(f"it is {row['status']}: it is or was told with others, not by itself")
    database: Database = request.app.state.database
    async with database.transaction() as uow:
        if await store.ANY.again(await uow.sql(), id):
            uow.audit(who.subject, "notification.redelivered", str(id))
    return NotificationOut.model_validate(dict(await _one(request, id)))


@routes.get("/notification-rules", summary="List all versions of the rules, the newest first")
async def list_rules(request: Request, _: Reader, limit: Limit = 50, cursor: CursorText = None) -> Page[RulesOut]:
    """The first of them counts. The last is what Assent ships."""
    before = read_cursor(cursor, of=[], shape=[int]) or [None]
    database: Database = request.app.state.database
    async with database.connection() as connection:
        rows = await connection.fetch(store.ALL_RULES, *before, limit + 1)
    versions = [RulesOut.model_validate(dict(row)) for row in rows]
    if len(versions) <= limit and before[0] != 0:
        versions.append(RulesOut(version=0, text=store.DEFAULT))
    return paged(versions, limit, key=lambda each: [each.version], of=[])


@routes.post("/notification-rules", summary="Write the rules", status_code=201, responses=documented(Invalid))
async def write_rules(given: RulesIn, request: Request, response: Response, who: Admin) -> RulesOut:
    """They count from now on, in place of all that stood before. What is gathered already is told as it was."""
    try:
        store.rules_of(given.text)
    except TextInvalid as error:
        faults = [FieldError(pointer="/text", code="rules_invalid", detail=str(fault)) for fault in error.faults]
        raise Invalid(str(error), errors=faults) from error
    database: Database = request.app.state.database
    async with database.transaction() as uow:
        row = await store.write_rules(uow, given.text, by=who.subject)
    response.headers["Location"] = "/v1/notification-rules"
    return RulesOut.model_validate(dict(row))


async def _one(request: Request, id_: UUID) -> Mapping[str, Any]:
    database: Database = request.app.state.database
    async with database.connection() as connection:
        row: Mapping[str, Any] | None = await connection.fetchrow(store.ONE, id_)
    if row is None:
        raise NotFound(f"there is no notification {id_}")
    return row
