"""`/v1/delegations`: who stands in for whom."""

from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from assent_common import ids
from assent_common.database import Database
from assent_common.events.model import UtcTime
from assent_common.http.app import router
from assent_common.http.pages import CursorText, Limit, Page, paged, read_cursor
from assent_common.http.problems import Conflict, FieldError, Forbidden, Invalid, NotFound, documented
from assent_common.identity.roles import Principal, Reader, Role, Whose, allow
from fastapi import Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from assent_workflow.delegations import store
from assent_workflow.delegations.model import Delegation
from assent_workflow.identities.model import Person
from assent_workflow.policies.model import Role as ApproverRole

routes = router(tags=["delegations"])

LONGEST = timedelta(days=90)
Holder = Annotated[Principal, allow(*(Role(role.value) for role in ApproverRole), whose=Whose.HIS_OWN)]
GiverOrAdmin = Annotated[Principal, allow(*(Role(role.value) for role in ApproverRole), Role.ADMIN, whose=Whose.GIVERS)]


class DelegationIn(BaseModel):
    """Who is to stand in for the caller, for which role, until when and why."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "role": "legal",
                "substitute": "rita@example.com",
                "ends_at": "2026-12-24T17:00:00Z",
                "reason": "On leave",
            }
        },
    )

    role: ApproverRole
    substitute: Annotated[str, Field(min_length=1, max_length=500, description="Subject")]
    begins_at: UtcTime | None = None
    ends_at: UtcTime
    reason: Annotated[str, Field(min_length=1, max_length=1000)]


class DelegationOut(BaseModel):
    """One person decides for another, for one role and for a while."""

    id: UUID
    role: str
    delegator: str
    substitute: str
    begins_at: datetime
    ends_at: datetime
    reason: str
    revoked_at: datetime | None


@routes.get("/delegations", summary="List delegations, the newest first")
async def list_delegations(
    request: Request,
    _: Reader,
    person: Annotated[str | None, Query(max_length=500, description="Who gave it, or to whom")] = None,
    limit: Limit = 50,
    cursor: CursorText = None,
) -> Page[DelegationOut]:
    """Those that are over and those that were revoked, too."""
    after = read_cursor(cursor, of=[person], shape=[UUID]) or [None]
    database: Database = request.app.state.database
    async with database.connection() as connection:
        rows = await store.page(connection, after[0], person, limit + 1)
    found = [DelegationOut.model_validate(dict(row)) for row in rows]
    return paged(found, limit, key=lambda delegation: [delegation.id], of=[person])


@routes.post("/delegations", summary="Let somebody stand in", status_code=201, responses=documented(Forbidden, Invalid))
async def create_delegation(given: DelegationIn, request: Request, response: Response, who: Holder) -> DelegationOut:
    """For tasks whose policy lets the substitute's role stand in. Nobody approves so what he could not approve."""
    if given.role.value not in who.roles:
        raise Forbidden(f"only who holds the role {given.role} delegates it")
    database: Database = request.app.state.database
    async with database.transaction() as uow:
        now = uow.clock.now()
        begins_at = max(given.begins_at or now, now)
        if not begins_at < given.ends_at <= begins_at + LONGEST:
            _refuse("/ends_at", f"ends after it begins, and within {LONGEST.days} days")
        if given.substitute == who.subject:
            _refuse("/substitute", "nobody stands in for himself")
        delegation = Delegation(
            id=ids.new(),
            role=given.role,
            delegator=Person(who.issuer, who.subject),
            substitute=Person(who.issuer, given.substitute),
            begins_at=begins_at,
            ends_at=given.ends_at,
            reason=given.reason,
        )
        await store.add(uow, delegation)
    response.headers["Location"] = f"/v1/delegations?person={who.subject}"
    return _out(delegation)


@routes.delete(
    "/delegations/{id}",
    summary="Revoke a delegation",
    status_code=204,
    responses=documented(Forbidden, NotFound, Conflict),
)
async def revoke_delegation(id: UUID, request: Request, who: GiverOrAdmin) -> None:
    """By who gave it, or an admin; from now on."""
    database: Database = request.app.state.database
    async with database.transaction() as uow:
        delegation = await store.lock(await uow.sql(), id)
        if delegation is None:
            raise NotFound(f"there is no delegation {id}")
        if delegation.delegator != (who.issuer, who.subject) and Role.ADMIN not in who.roles:
            raise Forbidden("only who gave it revokes it, or an admin")
        if delegation.revoked_at is not None:
            raise Conflict("it is revoked already")
        await store.revoke(uow, delegation, by=who.subject)


def _out(delegation: Delegation) -> DelegationOut:
    return DelegationOut(
        id=delegation.id,
        role=delegation.role,
        delegator=delegation.delegator.subject,
        substitute=delegation.substitute.subject,
        begins_at=delegation.begins_at,
        ends_at=delegation.ends_at,
        reason=delegation.reason,
        revoked_at=delegation.revoked_at,
    )


def _refuse(pointer: str, why: str) -> None:
    raise Invalid(why, errors=[FieldError(pointer=pointer, code="invalid", detail=why)])
