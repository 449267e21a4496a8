"""`/v1/webhooks`: who is told, and how it went."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import asyncpg
import orjson
from assent_common import ids
from assent_common.database import Database
from assent_common.http.app import router
from assent_common.http.etags import IfMatch, etag, require_match
from assent_common.http.pages import CursorText, Limit, Page, paged, read_cursor
from assent_common.http.problems import (
    Conflict,
    FieldError,
    Invalid,
    NotFound,
    PreconditionRequired,
    Stale,
    documented,
)
from assent_common.identity.roles import Principal, Role, allow
from fastapi import Request, Response
from pydantic import BaseModel, ConfigDict, Field

from assent_workflow.outgoing.addresses import Refused, parsed
from assent_workflow.outgoing.hosts import ANY
from assent_workflow.webhooks import store
from assent_workflow.webhooks.disable import seen_to
from assent_workflow.webhooks.sign import Sealer, new_secret

routes = router(tags=["webhooks"])

Admin = Annotated[Principal, allow(Role.ADMIN)]
Type = Annotated[str, Field(pattern=r"^[a-z_.0-9]{1,100}\*?$")]
ROTATION = timedelta(hours=24)
PING = "assent.webhook.ping.v1"

ONE = "select * from webhooks where id = $1"
LOCK = "select * from webhooks where id = $1 for update"
LIST = "select * from webhooks where $1::uuid is null or id < $1 order by id desc limit $2"
INSERT = """
insert into webhooks (id, url, types, description, enabled, secret, created_by, created_at, sequence)
values ($1, $2, $3, $4, $5, $6, $7, $8, 1)
"""
UPDATE = """
update webhooks set url = $2, types = $3, description = $4, enabled = $5, disabled_reason = null,
                    sequence = sequence + 1
 where id = $1
"""
DELETE = "delete from webhooks where id = $1"
# The one before stays good for a day: two signatures until then.
ROTATE = """
update webhooks set old_secret = secret, old_until = now() + $3::interval, secret = $2, sequence = sequence + 1
 where id = $1
"""
# Index: webhook_deliveries_log.
LOG = """
select * from webhook_deliveries where webhook = $1 and ($2::uuid is null or id < $2) order by id desc limit $3
"""


class WebhookIn(BaseModel):
    """Where to, and of what."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "url": "https://hooks.example.com/assent",
                "types": ["assent.governance.candidacy.changed.v1", "assent.governance.finding.*"],
                "description": "To the ticket system",
            }
        },
    )

    url: Annotated[str, Field(min_length=1, max_length=2000)]
    types: Annotated[list[Type], Field(max_length=50, description="Event types; `…*` for all that begin so")] = []
    description: Annotated[str, Field(max_length=500)] = ""
    enabled: bool = True


class WebhookOut(BaseModel):
    """Somebody who is told."""

    id: UUID
    url: str
    #: All, where none is named.
    types: list[str]
    description: str
    enabled: bool
    disabled_reason: str | None
    created_by: str
    created_at: datetime


class WebhookWithSecret(WebhookOut):
    """With the secret, which is shown this once."""

    secret: str


class DeliveryOut(BaseModel):
    """One event on its way to one webhook, and how the last attempt went."""

    id: UUID
    type: str
    #: `waiting`, `delivered`, `failed`.
    status: str
    attempts: int
    next_try_at: datetime
    last_status: int | None
    last_error: str | None
    created_at: datetime
    delivered_at: datetime | None


@routes.get("/webhooks", summary="List webhooks, the newest first")
async def list_webhooks(request: Request, _: Admin, limit: Limit = 50, cursor: CursorText = None) -> Page[WebhookOut]:
    """Without their secrets."""
    after = read_cursor(cursor, of=[], shape=[UUID]) or [None]
    database: Database = request.app.state.database
    async with database.connection() as connection:
        rows = await connection.fetch(LIST, *after, limit + 1)
    webhooks = [WebhookOut.model_validate(dict(row)) for row in rows]
    return paged(webhooks, limit, key=lambda each: [each.id], of=[])


@routes.post("/webhooks", summary="Add a webhook", status_code=201, responses=documented(Conflict, Invalid))
async def create_webhook(given: WebhookIn, request: Request, response: Response, who: Admin) -> WebhookWithSecret:
    """It is told of what happens from now on. Its secret is in this answer and in no other."""
    sealer = _sealer(request)
    _look(given.url, request)
    id_, secret = ids.new(), new_secret()
    database: Database = request.app.state.database
    async with database.transaction() as uow:
        connection = await uow.sql()
        values = (given.url, given.types, given.description, given.enabled, sealer.seal(secret, id_), who.subject)
        await connection.execute(INSERT, id_, *values, uow.clock.now())
        uow.audit(who.subject, "webhook.added", str(id_), given.model_dump())
        row = await _row(connection, ONE, id_)
    response.headers["Location"] = f"/v1/webhooks/{id_}"
    response.headers["ETag"] = etag(row["sequence"])
    return WebhookWithSecret.model_validate({**row, "secret": secret})


@routes.get("/webhooks/{id}", summary="Read a webhook", responses=documented(NotFound))
async def get_webhook(id: UUID, request: Request, response: Response, _: Admin) -> WebhookOut:
    """Without its secret."""
    database: Database = request.app.state.database
    async with database.connection() as connection:
        row = await _row(connection, ONE, id)
    response.headers["ETag"] = etag(row["sequence"])
    return WebhookOut.model_validate(dict(row))


@routes.put(
    "/webhooks/{id}",
    summary="Change a webhook",
    responses=documented(NotFound, Invalid, Stale, PreconditionRequired),
)
async def change_webhook(
    id: UUID, given: WebhookIn, request: Request, response: Response, who: Admin, if_match: IfMatch = None
) -> WebhookOut:
    """Also to enable one again that was disabled."""
    _look(given.url, request)
    database: Database = request.app.state.database
    async with database.transaction() as uow:
        connection = await uow.sql()
        before = await _row(connection, LOCK, id)
        require_match(if_match, before["sequence"])
        await connection.execute(UPDATE, id, given.url, given.types, given.description, given.enabled)
        if not given.enabled:
            await connection.execute(store.GIVE_UP, id, "the webhook was disabled")
        await seen_to(uow, id)
        uow.audit(who.subject, "webhook.changed", str(id), given.model_dump())
        row = await _row(connection, ONE, id)
    response.headers["ETag"] = etag(row["sequence"])
    return WebhookOut.model_validate(dict(row))


@routes.delete("/webhooks/{id}", summary="Delete a webhook", status_code=204, responses=documented(NotFound))
async def delete_webhook(id: UUID, request: Request, who: Admin) -> None:
    """With everything that waits for it, and its log."""
    database: Database = request.app.state.database
    async with database.transaction() as uow:
        connection = await uow.sql()
        await _row(connection, LOCK, id)
        await connection.execute(DELETE, id)
        await seen_to(uow, id)
        uow.audit(who.subject, "webhook.deleted", str(id))


@routes.post("/webhooks/{id}/rotate", summary="Give a webhook a new secret", responses=documented(NotFound, Conflict))
async def rotate_webhook(id: UUID, request: Request, response: Response, who: Admin) -> WebhookWithSecret:
    """For 24 hours everything is signed with both, so that the receiver can change over at its ease."""
    sealer, secret = _sealer(request), new_secret()
    database: Database = request.app.state.database
    async with database.transaction() as uow:
        connection = await uow.sql()
        await _row(connection, LOCK, id)
        await connection.execute(ROTATE, id, sealer.seal(secret, id), ROTATION)
        uow.audit(who.subject, "webhook.rotated", str(id))
        row = await _row(connection, ONE, id)
    response.headers["ETag"] = etag(row["sequence"])
    return WebhookWithSecret.model_validate({**row, "secret": secret})


@routes.post(
    "/webhooks/{id}/ping", summary="Send a webhook a trial event", status_code=202, responses=documented(NotFound)
)
async def ping_webhook(id: UUID, request: Request, who: Admin) -> DeliveryOut:
    """Watch the delivery for how it went."""
    database: Database = request.app.state.database
    async with database.transaction() as uow:
        connection = await uow.sql()
        await _row(connection, LOCK, id)
        event = {"specversion": "1.0", "id": str(ids.new()), "source": "/assent/workflow", "type": PING, "data": {}}
        delivery = await store.add(connection, id, PING, orjson.dumps(event))
        uow.audit(who.subject, "webhook.pinged", str(id))
        row = await connection.fetchrow("select * from webhook_deliveries where id = $1", delivery)
    return DeliveryOut.model_validate(dict(row))


@routes.get("/webhooks/{id}/deliveries", summary="List a webhook's deliveries, the newest first")
async def list_deliveries(
    id: UUID, request: Request, _: Admin, limit: Limit = 50, cursor: CursorText = None
) -> Page[DeliveryOut]:
    """How each went. What the receiver answered besides its status is not kept."""
    after = read_cursor(cursor, of=[id], shape=[UUID]) or [None]
    database: Database = request.app.state.database
    async with database.connection() as connection:
        rows = await connection.fetch(LOG, id, *after, limit + 1)
    deliveries = [DeliveryOut.model_validate(dict(row)) for row in rows]
    return paged(deliveries, limit, key=lambda each: [each.id], of=[id])


@routes.post(
    "/webhook-deliveries/{id}/redeliver", summary="Deliver once more", status_code=202, responses=documented(NotFound)
)
async def redeliver(id: UUID, request: Request, who: Admin) -> DeliveryOut:
    """Under the same `webhook-id`, so that a receiver can tell that it has it."""
    database: Database = request.app.state.database
    async with database.transaction() as uow:
        connection = await uow.sql()
        if await store.QUEUE.again(connection, id):
            uow.audit(who.subject, "webhook.redelivered", str(id))
        row = await connection.fetchrow("select * from webhook_deliveries where id = $1", id)
    if row is None:
        raise NotFound(f"there is no delivery {id}")
    return DeliveryOut.model_validate(dict(row))


def _sealer(request: Request) -> Sealer:
    sealer: Sealer | None = getattr(request.app.state, "webhook_sealer", None)
    if sealer is None:
        raise Conflict("there are no webhooks here: ASSENT_WEBHOOK_KEY is not set")
    return sealer


def _look(url: str, request: Request) -> None:
    """As far as the text tells; where it leads is looked at whenever something is sent."""
    try:
        parsed(url, getattr(request.app.state, "outgoing_hosts", ANY))
    except Refused as error:
        raise Invalid(str(error), errors=[FieldError(pointer="/url", code="url_refused", detail=str(error))]) from error


async def _row(connection: asyncpg.Connection, statement: str, id_: UUID) -> Mapping[str, Any]:
    row: Mapping[str, Any] | None = await connection.fetchrow(statement, id_)
    if row is None:
        raise NotFound(f"there is no webhook {id_}")
    return row
