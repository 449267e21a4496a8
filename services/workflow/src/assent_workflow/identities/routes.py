"""`/v1/identities`: which person of the company made a model version, where AWS only knows a principal."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from assent_common.database import Database
from assent_common.http.app import router
from assent_common.http.pages import CursorText, Limit, Page, paged, read_cursor
from assent_common.http.problems import NotFound, documented
from assent_common.identity.roles import Principal, Reader, Role, allow
from fastapi import Query, Request
from pydantic import BaseModel, ConfigDict, Field

from assent_workflow.identities import store
from assent_workflow.identities.model import Person
from assent_workflow.policies.model import Role as ApproverRole

routes = router(tags=["identities"])

Admin = Annotated[Principal, allow(Role.ADMIN)]
Name = Annotated[str, Field(min_length=1, max_length=2048, description="An AWS principal, or a name in a use case")]


class IdentityIn(BaseModel):
    """Whom a name stands for. Without a subject, for no person: a pipeline's role, say."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "name": "arn:aws:sagemaker:eu-central-1:123456789012:user-profile/d-1/ada",
                "subject": "ada@example.com",
                "roles": ["data_scientist"],
                "groups": ["credit-models"],
            }
        },
    )

    name: Name
    subject: Annotated[str | None, Field(min_length=1, max_length=500)] = None
    #: By which tasks are shared out; what the person may do is in the token alone.
    roles: Annotated[list[ApproverRole], Field(max_length=10)] = []
    #: Beside those in the token: who is in one decides what a policy asks of it.
    groups: Annotated[list[Annotated[str, Field(min_length=1, max_length=200)]], Field(max_length=50)] = []


class IdentityOut(BaseModel):
    """Whom a name stands for, and who said so."""

    id: UUID
    name: str
    subject: str | None
    roles: list[str]
    groups: list[str]
    told_by: str
    told_at: datetime


@routes.get("/identities", summary="List whom names stand for")
async def list_identities(
    request: Request,
    _: Reader,
    name: Annotated[str | None, Query(max_length=2048)] = None,
    limit: Limit = 50,
    cursor: CursorText = None,
) -> Page[IdentityOut]:
    """By name."""
    after = read_cursor(cursor, of=[name], shape=[str]) or [None]
    database: Database = request.app.state.database
    async with database.connection() as connection:
        rows = await store.page(connection, after[0], name, limit + 1)
    found = [IdentityOut.model_validate(dict(row)) for row in rows]
    return paged(found, limit, key=lambda identity: [identity.name], of=[name])


@routes.put("/identities", summary="Say whom a name stands for")
async def put_identity(given: IdentityIn, request: Request, who: Admin) -> IdentityOut:
    """In place of what was said of it before. The person is one of the issuer whose token says this."""
    person = Person(who.issuer, given.subject) if given.subject else None
    database: Database = request.app.state.database
    async with database.transaction() as uow:
        row = await store.tell(
            uow, given.name, person, by=who.subject, roles=sorted(set(given.roles)), groups=sorted(set(given.groups))
        )
    return IdentityOut.model_validate(dict(row))


@routes.delete(
    "/identities/{id}", summary="Forget whom a name stands for", status_code=204, responses=documented(NotFound)
)
async def delete_identity(id: UUID, request: Request, who: Admin) -> None:
    """The name is not known then: a policy that keeps makers apart lets nobody decide."""
    database: Database = request.app.state.database
    async with database.transaction() as uow:
        if not await store.forget(uow, id, by=who.subject):
            raise NotFound(f"there is no identity {id}")
