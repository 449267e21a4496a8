"""`/v1/candidacies`."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import asyncpg
from assent_common import ids, telemetry
from assent_common.database import Database
from assent_common.events.governance import CandidacyStatus
from assent_common.http.app import router
from assent_common.http.etags import IfMatch, etag, require_match
from assent_common.http.idempotency import IdempotencyKey, once
from assent_common.http.pages import CursorText, Limit, Page, paged, read_cursor
from assent_common.http.problems import Conflict, Forbidden, Invalid, NotFound, NotYetKnown, Stale, documented
from assent_common.identity.roles import Principal, Reader, Role, Whose, allow
from assent_common.uow import UnitOfWork
from fastapi import Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from assent_workflow.candidacies.end import end
from assent_workflow.candidacies.model import BY_HAND, Person, Trigger, allowed_from
from assent_workflow.candidacies.put_forward import put_forward
from assent_workflow.candidacies.submit import submit
from assent_workflow.policies import model as policies
from assent_workflow.problems import spoken
from assent_workflow.reviews.override import override

routes = router(tags=["candidacies"])

Proposer = Annotated[Principal, allow(Role.DATA_SCIENTIST)]
Guardian = Annotated[Principal, allow(Role.RISK, Role.SECURITY, Role.ADMIN)]
#: Of these, those whom the candidacy's policy names.
Overrider = Annotated[Principal, allow(*(Role(role.value) for role in policies.Role), whose=Whose.NAMED_BY_POLICY)]

_SELECT = """
select c.*, r.checks, v.traceparent
  from candidacies c
  left join reviews r on r.id = c.review
  left join model_versions v on v.urn = c.model_version
"""
# A step of a use case is none of these.
ONE = _SELECT + " where c.id = $1 and c.step_to is null"
# Ids are UUIDv7: the newest first. Index: the primary key, candidacies_use_case or candidacies_model_version.
LIST = (
    _SELECT
    + """
 where ($1::text is null or c.use_case = $1)
   and ($2::text is null or c.model_version = $2 or v.id::text = $2)
   and ($3::text is null or c.status = $3)
   and ($4::uuid is null or c.id < $4)
   and c.step_to is null
 order by c.id desc
 limit $5
"""
)


class Proposal(BaseModel):
    """Which version, for what."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "use_case": "customer-retention",
                "model_version": "arn:aws:sagemaker:eu-central-1:123456789012:model-package/customer-churn/7",
            }
        },
    )

    use_case: Annotated[str, Field(min_length=1, max_length=200, description="Key of the use case")]
    model_version: Annotated[str, Field(min_length=1, max_length=2048, description="Urn or id of the model version")]


class Reason(BaseModel):
    """Why."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"reason": "Complaints from customers"}})

    reason: Annotated[str | None, Field(max_length=4000)] = None


class CandidacyOut(BaseModel):
    """One model version put forward for one use case: the thing that has a status."""

    id: UUID
    use_case: str
    use_case_id: UUID
    model_version: str
    model_version_id: UUID
    status: CandidacyStatus
    #: Why it stands there, in words.
    reason: str | None
    #: The checks that do not pass, while it is under review.
    blocked_by: list[str]
    #: What can be done with it by hand.
    allowed: list[Trigger]
    content_hash: str | None
    review: UUID | None
    policy: str | None
    put_forward_by: str
    created_at: datetime
    changed_by: str
    changed_at: datetime
    #: Until when an acceptance holds.
    expires_at: datetime | None
    #: Where alone an acceptance holds; everywhere, where null.
    environments: list[str] | None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "CandidacyOut":
        status = CandidacyStatus(row["status"])
        checks = row["checks"] if status is CandidacyStatus.UNDER_REVIEW else []
        return cls.model_validate(
            {
                **row,
                "model_version_id": ids.of_urn(row["model_version"]),
                "environments": row["environments"] if status is CandidacyStatus.ACCEPTED else None,
                "blocked_by": [f"{check['name']}: {check['reason']}" for check in checks if not check["passed"]],
                "allowed": [trigger for trigger in allowed_from(status) if trigger in BY_HAND],
            }
        )


@routes.get("/candidacies", summary="List candidacies, the newest first")
async def list_candidacies(
    request: Request,
    _: Reader,
    use_case: Annotated[str | None, Query(max_length=200, description="Key of the use case")] = None,
    model_version: Annotated[str | None, Query(max_length=2048, description="Urn or id")] = None,
    status: CandidacyStatus | None = None,
    limit: Limit = 50,
    cursor: CursorText = None,
) -> Page[CandidacyOut]:
    """Filters narrow each other."""
    selection = [use_case, model_version, status]
    after = read_cursor(cursor, of=selection, shape=[UUID]) or [None]
    database: Database = request.app.state.database
    async with database.connection() as connection:
        rows = await connection.fetch(LIST, use_case, model_version, status, after[0], limit + 1)
    candidacies = [CandidacyOut.of(row) for row in rows]
    return paged(candidacies, limit, key=lambda candidacy: [candidacy.id], of=selection)


@routes.post(
    "/candidacies",
    summary="Put a model version forward for a use case",
    status_code=201,
    response_model=CandidacyOut,
    responses=documented(NotYetKnown, Conflict),
)
async def create_candidacy(
    proposal: Proposal, request: Request, who: Proposer, idempotency_key: IdempotencyKey = None
) -> Response:
    """It is a candidate then, and nobody is asked yet: submit it."""
    database: Database = request.app.state.database
    async with database.transaction() as uow:

        async def act() -> Response:
            by = Person(who.issuer, who.subject)
            put = await put_forward(uow, use_case=proposal.use_case, model_version=proposal.model_version, by=by)
            return await _answer(uow, put.id, status=201)

        return await once(uow, request, who, idempotency_key, act)


@routes.get("/candidacies/{id}", summary="Read a candidacy", responses=documented(NotFound))
async def get_candidacy(id: UUID, request: Request, response: Response, _: Reader) -> CandidacyOut:
    """Where it stands, why, and what can be done next."""
    database: Database = request.app.state.database
    async with database.connection() as connection:
        row = await _row(connection, id)
    response.headers["ETag"] = etag(row["sequence"])
    return CandidacyOut.of(row)


@routes.get("/candidacies/{id}/status", summary="Read a candidacy's status alone", responses=documented(NotFound))
async def get_candidacy_status(id: UUID, request: Request, _: Reader) -> dict[str, Any]:
    """The status, why, and what blocks it: for those who ask often."""
    database: Database = request.app.state.database
    async with database.connection() as connection:
        candidacy = CandidacyOut.of(await _row(connection, id))
    return candidacy.model_dump(include={"id", "status", "reason", "blocked_by"}, mode="json")


@routes.post(
    "/candidacies/{id}/submit",
    summary="Submit a candidacy for review",
    response_model=CandidacyOut,
    responses=documented(NotFound, Conflict, Stale),
)
async def submit_candidacy(
    id: UUID, request: Request, who: Proposer, if_match: IfMatch = None, idempotency_key: IdempotencyKey = None
) -> Response:
    """A review opens, pinned to the policy and the content that stand now, and all who have to approve are asked."""

    async def move(uow: UnitOfWork) -> None:
        await submit(uow, id, by=who.subject)

    return await _move(request, id, who, if_match, idempotency_key, move)


@routes.post(
    "/candidacies/{id}/override",
    summary="Accept past the policy",
    response_model=CandidacyOut,
    responses=documented(NotFound, Conflict, Stale, Forbidden, Invalid),
)
async def override_candidacy(
    id: UUID,
    request: Request,
    who: Overrider,
    why: Reason,
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """In an emergency, where the policy says who may, and for as long as it says. It is a finding until it ends."""

    async def move(uow: UnitOfWork) -> None:
        await override(uow, id, why.reason or "", by=who)

    return await _move(request, id, who, if_match, idempotency_key, move)


def _ending(trigger: Trigger, *, who_may: Any, summary: str, description: str) -> None:
    """A route that takes a candidacy off its way."""

    @routes.post(
        f"/candidacies/{{id}}/{trigger}",
        name=f"{trigger}_candidacy",
        summary=summary,
        description=description,
        response_model=CandidacyOut,
        responses=documented(NotFound, Conflict, Stale),
    )
    async def end_candidacy(
        id: UUID,
        request: Request,
        who: who_may,
        why: Reason | None = None,
        if_match: IfMatch = None,
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        async def move(uow: UnitOfWork) -> None:
            await end(uow, id, trigger, by=who.subject, reason=why.reason if why else None)

        return await _move(request, id, who, if_match, idempotency_key, move)


_ending(
    Trigger.WITHDRAW,
    who_may=Proposer,
    summary="Withdraw a candidacy",
    description="Before it is decided. A review under way ends.",
)
_ending(
    Trigger.SUSPEND,
    who_may=Guardian,
    summary="Suspend an acceptance",
    description="The gate says no from this moment on.",
)
_ending(
    Trigger.RETIRE,
    who_may=Guardian,
    summary="Retire a candidacy",
    description="For good. The version may be put forward anew.",
)


async def _move(
    request: Request,
    id_: UUID,
    who: Principal,
    if_match: str | None,
    idempotency_key: str | None,
    move: Callable[[UnitOfWork], Awaitable[None]],
) -> Response:
    """A transition is compare-and-set by the status itself, so `If-Match` is welcome here, but not demanded."""
    database: Database = request.app.state.database
    async with database.transaction() as uow:

        async def act() -> Response:
            before = await _row(await uow.sql(), id_)
            if if_match is not None:
                require_match(if_match, before["sequence"])
            with (
                telemetry.tracer.start_as_current_span("move", links=telemetry.link_to(before["traceparent"])),
                spoken(),
            ):
                await move(uow)
            return await _answer(uow, id_)

        return await once(uow, request, who, idempotency_key, act)


async def _answer(uow: UnitOfWork, id_: UUID, *, status: int = 200) -> Response:
    row = await _row(await uow.sql(), id_)
    headers = {"ETag": etag(row["sequence"])}
    if status == 201:
        headers["Location"] = f"/v1/candidacies/{id_}"
    return Response(CandidacyOut.of(row).model_dump_json(), status, headers, "application/json")


async def _row(connection: asyncpg.Connection, id_: UUID) -> Mapping[str, Any]:
    row: Mapping[str, Any] | None = await connection.fetchrow(ONE, id_)
    if row is None:
        raise NotFound(f"there is no candidacy {id_}")
    return row
