"""`/v1/contacts`: where people, roles and groups are reached; and what each person wants."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from assent_common.database import Database
from assent_common.http.app import router
from assent_common.http.pages import CursorText, Limit, Page, paged, read_cursor
from assent_common.http.problems import Invalid, NotFound, documented
from assent_common.identity.roles import EVERYBODY, Principal, Role, Whose, allow
from fastapi import Query, Request
from pydantic import BaseModel, ConfigDict, Field

from assent_workflow.contacts import store
from assent_workflow.contacts.model import ContactKind, Gathers

routes = router(tags=["contacts"])

Admin = Annotated[Principal, allow(Role.ADMIN)]
Himself = Annotated[Principal, allow(*EVERYBODY, whose=Whose.HIS_OWN)]
Name = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f]+$")]
#: What every mail system takes; nothing that could be a header, a name or a second address.
Email = Annotated[str, Field(max_length=254, pattern=r"^[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9.-]{1,189}$")]


class ContactIn(BaseModel):
    """Where a person, by subject, a role or a group of the company is reached."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"kind": "role", "name": "legal", "emails": ["legal-reviews@example.com"]}},
    )

    kind: ContactKind
    name: Name
    emails: Annotated[list[Email], Field(max_length=50)]


class PreferencesIn(BaseModel):
    """What the caller wants: to be told at once (null), or of several things together; or of nothing."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"gathers": "daily", "muted": False}})

    gathers: Gathers | None = None
    muted: bool = False


class ContactOut(BaseModel):
    """Where somebody is reached, and what they want."""

    id: UUID
    kind: ContactKind
    name: str
    emails: list[str]
    gathers: Gathers | None
    muted: bool
    told_by: str
    told_at: datetime


@routes.get("/contacts", summary="List where people, roles and groups are reached")
async def list_contacts(
    request: Request,
    _: Admin,
    kind: ContactKind | None = None,
    name: Annotated[str | None, Query(max_length=500)] = None,
    limit: Limit = 50,
    cursor: CursorText = None,
) -> Page[ContactOut]:
    """By kind and name."""
    after = read_cursor(cursor, of=[kind, name], shape=[str, str]) or [None, None]
    database: Database = request.app.state.database
    async with database.connection() as connection:
        rows = await store.page(connection, after, kind, name, limit + 1)
    found = [ContactOut.model_validate(dict(row)) for row in rows]
    return paged(found, limit, key=lambda each: [each.kind, each.name], of=[kind, name])


@routes.put("/contacts", summary="Say where a person, a role or a group is reached", responses=documented(Invalid))
async def put_contact(given: ContactIn, request: Request, who: Admin) -> ContactOut:
    """In place of what was said before. What the person wants stays."""
    database: Database = request.app.state.database
    async with database.transaction() as uow:
        row = await store.tell(uow, given.kind, given.name, given.emails, by=who.subject)
    return ContactOut.model_validate(dict(row))


@routes.get("/contacts/mine", summary="Read how one is reached", responses=documented(NotFound))
async def get_my_contact(request: Request, who: Himself) -> ContactOut:
    """Where nothing was said of the caller there is nothing."""
    database: Database = request.app.state.database
    async with database.connection() as connection:
        row = await store.one(connection, ContactKind.PERSON, who.subject)
    if row is None:
        raise NotFound("nobody said how you are reached")
    return ContactOut.model_validate(dict(row))


@routes.put("/contacts/mine", summary="Say what one wants to be told", responses=documented(Invalid))
async def put_my_contact(given: PreferencesIn, request: Request, who: Himself) -> ContactOut:
    """At once, gathered, or nothing. At which address is for an administrator to say."""
    database: Database = request.app.state.database
    async with database.transaction() as uow:
        row = await store.prefer(uow, who.subject, gathers=given.gathers, muted=given.muted)
    return ContactOut.model_validate(dict(row))


@routes.delete("/contacts/{id}", summary="Forget a contact", status_code=204, responses=documented(NotFound))
async def delete_contact(id: UUID, request: Request, who: Admin) -> None:
    """With what the person wanted."""
    database: Database = request.app.state.database
    async with database.transaction() as uow:
        if not await store.forget(uow, id, by=who.subject):
            raise NotFound(f"there is no contact {id}")
