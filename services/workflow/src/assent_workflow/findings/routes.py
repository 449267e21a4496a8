"""`/v1/findings`: what breaks the rules, and what people do about it."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from assent_common.clock import to_utc
from assent_common.database import Database
from assent_common.http.app import router
from assent_common.http.etags import IfMatch, etag, require_match
from assent_common.http.idempotency import IdempotencyKey, once
from assent_common.http.pages import CursorText, Limit, Page, paged, read_cursor
from assent_common.http.problems import Conflict, FieldError, Forbidden, Invalid, NotFound, Stale, documented
from assent_common.identity.roles import Principal, Reader, Role, Whose, allow
from assent_common.uow import UnitOfWork
from fastapi import Query, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from assent_workflow.findings import store
from assent_workflow.findings.model import Finding, FindingStatus, NoSuchDay, NotSo, accept_risk, resolve
from assent_workflow.findings.rules import Kind, Severity

routes = router(tags=["findings"])

Guardian = Annotated[Principal, allow(Role.RISK, Role.SECURITY, Role.ADMIN, whose=Whose.NOT_THE_PROPOSERS)]
Sentence = Annotated[str, Field(min_length=1, max_length=4000)]

ONE = "select * from findings where id = $1"
# Index: findings_unresolved for what is to be done, findings_model_version or findings_subject where one is named.
LIST = """
select * from findings
 where ($1::text is null or status = $1)
   and ($2::text is null or kind = $2)
   and ($3::text is null or severity = $3)
   and ($4::text is null or subject = $4)
   and ($5::text is null or model_version = $5)
   and ($6::text is null or owner = $6)
   and ($7::boolean is null or (status = 'open' and due_at < now()) = $7)
   and ($8::timestamptz is null or (due_at, id) > ($8, $9))
 order by due_at, id
 limit $10
"""
PROPOSED = "select exists (select from candidacies where model_version = $1 and put_forward_by = $2)"


class RiskAccepted(BaseModel):
    """Until when, and why it can be borne."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"until": "2027-01-31T00:00:00Z", "reason": "Replaced by v8 in January"}},
    )

    until: Annotated[datetime, AfterValidator(to_utc)]
    reason: Sentence


class Resolution(BaseModel):
    """What was done about it."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"reason": "Approved by mistake, put back at once"}}
    )

    reason: Sentence


class FindingOut(BaseModel):
    """Something that breaks the rules."""

    id: UUID
    kind: Kind
    subject_kind: str
    subject: str
    detail: str
    severity: Severity
    status: FindingStatus
    summary: str
    evidence: dict[str, Any]
    owner: str | None
    model_version: str | None
    due_at: datetime
    found_at: datetime
    #: How often it came (back).
    times_found: int
    #: Why it stands where it stands, and who put it there.
    reason: str | None
    changed_by: str
    changed_at: datetime
    accepted_until: datetime | None
    resolved_at: datetime | None


@routes.get("/findings", summary="List findings, those first that are due first")
async def list_findings(
    request: Request,
    _: Reader,
    status: FindingStatus | None = None,
    kind: Kind | None = None,
    severity: Severity | None = None,
    subject: Annotated[str | None, Query(max_length=2048, description="Urn of a deployment or version, or id")] = None,
    model_version: Annotated[str | None, Query(max_length=2048, description="Urn of a model version")] = None,
    owner: Annotated[str | None, Query(max_length=200)] = None,
    overdue: Annotated[bool | None, Query(description="Open and past its due time")] = None,
    limit: Limit = 50,
    cursor: CursorText = None,
) -> Page[FindingOut]:
    """What is to be done is `?status=open`."""
    selection = [status, kind, severity, subject, model_version, owner, overdue]
    after = read_cursor(cursor, of=selection, shape=[datetime.fromisoformat, UUID]) or [None, None]
    database: Database = request.app.state.database
    async with database.connection() as connection:
        rows = await connection.fetch(LIST, *selection, *after, limit + 1)
    findings = [FindingOut.model_validate(dict(row)) for row in rows]
    return paged(findings, limit, key=lambda each: [each.due_at.isoformat(), each.id], of=selection)


@routes.get("/findings/{id}", summary="Read a finding", responses=documented(NotFound))
async def get_finding(id: UUID, request: Request, response: Response, _: Reader) -> FindingOut:
    """With its evidence, as it was last seen."""
    database: Database = request.app.state.database
    async with database.connection() as connection:
        row: Mapping[str, Any] | None = await connection.fetchrow(ONE, id)
    if row is None:
        raise NotFound(f"there is no finding {id}")
    response.headers["ETag"] = etag(row["sequence"])
    return FindingOut.model_validate(dict(row))


@routes.post(
    "/findings/{id}/accept-risk",
    summary="Accept a finding's risk until a date",
    response_model=FindingOut,
    responses=documented(Forbidden, Invalid, NotFound, Conflict, Stale),
)
async def accept_finding(
    id: UUID,
    given: RiskAccepted,
    request: Request,
    who: Guardian,
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """It is open again then, if it is still so. Not for who put the model version forward."""
    database: Database = request.app.state.database

    def step(finding: Finding) -> Finding:
        now = database.clock.now()
        return accept_risk(finding, until=given.until, reason=given.reason, by=who.subject, at=now)

    return await _change(database, request, id, who, step, if_match, idempotency_key)


@routes.post(
    "/findings/{id}/resolve",
    summary="Resolve a finding by hand",
    response_model=FindingOut,
    responses=documented(Forbidden, NotFound, Conflict, Stale),
)
async def resolve_finding(
    id: UUID,
    given: Resolution,
    request: Request,
    who: Guardian,
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """For what happened and was looked into. What lasts ends by itself. Not for who put it forward."""
    database: Database = request.app.state.database

    def step(finding: Finding) -> Finding:
        return resolve(finding, reason=given.reason, by=who.subject, at=database.clock.now())

    return await _change(database, request, id, who, step, if_match, idempotency_key)


async def _change(
    database: Database,
    request: Request,
    id_: UUID,
    who: Principal,
    step: Callable[[Finding], Finding],
    if_match: str | None,
    idempotency_key: str | None,
) -> Response:
    async with database.transaction() as uow:

        async def act() -> Response:
            after = await _changed(uow, id_, who, step, if_match)
            row = await (await uow.sql()).fetchrow(ONE, id_)
            body = FindingOut.model_validate(dict(row)).model_dump_json()
            return Response(body, 200, {"ETag": etag(after.sequence)}, "application/json")

        return await once(uow, request, who, idempotency_key, act)


async def _changed(
    uow: UnitOfWork, id_: UUID, who: Principal, step: Callable[[Finding], Finding], if_match: str | None
) -> Finding:
    connection = await uow.sql()
    finding = await store.lock(connection, id_)
    if finding is None:
        raise NotFound(f"there is no finding {id_}")
    if if_match is not None:
        require_match(if_match, finding.sequence)
    if finding.model_version and await connection.fetchval(PROPOSED, finding.model_version, who.subject):
        raise Forbidden("you put this model version forward, so somebody else has to answer for what is found of it")
    try:
        after = step(finding)
    except NotSo as error:
        raise Conflict(str(error)) from error
    except NoSuchDay as error:
        fault = FieldError(pointer="/until", code="no_such_day", detail=str(error))
        raise Invalid(str(error), errors=[fault]) from error
    await store.save(uow, [after])
    return after
