"""`/v1/use-cases`."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from assent_common import ids
from assent_common.content import Change, diff
from assent_common.database import Database
from assent_common.events.catalog import FacetState, Stage
from assent_common.http.app import router
from assent_common.http.etags import IfMatch, etag, require_match
from assent_common.http.idempotency import IdempotencyKey, once
from assent_common.http.pages import CursorText, Limit, Page, page, read_cursor
from assent_common.http.problems import Conflict, NotFound, PreconditionRequired, Stale, documented
from assent_common.identity.roles import Principal, Reader, Role, allow
from fastapi import Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from assent_catalog import search
from assent_catalog.use_cases import store
from assent_catalog.use_cases.model import STAGES, WHOSE_JOB, Facets, RiskClass, merged
from assent_catalog.use_cases.store import UseCase

routes = router(tags=["use cases"])

Writer = Annotated[Principal, allow(Role.BUSINESS_OWNER, Role.DATA_STEWARD)]
Key = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,98}[a-z0-9])?$")]

# Ids are UUIDv7: the newest first. Index: the primary key, use_cases_stage, use_cases_search.
LIST = """
select u.* from use_cases u
 where ($1::text is null or u.search @@ to_tsquery('simple', $1))
   and ($2::text is null or u.stage = $2)
   and ($3::text is null or u.facets->'legal'->>'risk_class' = $3)
   and ($4::text is null or u.owner = $4)
   and ($5::boolean is null or u.complete = $5)
   and ($6::uuid is null or u.id < $6)
 order by u.id desc
 limit $7
"""
CANDIDACIES = """
select c.id, c.status, c.model_version, c.changed_at, v.id as model_version_id, v.name, v.version, v.type,
       v.status as model_version_status
  from candidacies c left join model_versions v on v.urn = c.model_version
 where c.use_case = $1 and ($2::uuid is null or c.id < $2)
 order by c.id desc limit $3
"""
HISTORY = """
select h.sequence, h.at, h.by, h.state, b.state as before
  from use_case_history h
  left join use_case_history b on b.use_case = h.use_case and b.sequence = h.sequence - 1
 where h.use_case = $1 and ($2::bigint is null or h.sequence < $2)
 order by h.sequence desc limit $3
"""
_NOT_COMPARED = ("modified_at", "modified_by")


class UseCaseIn(BaseModel):
    """A key and a name are enough to begin."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"key": "customer-retention", "name": "Customer retention calls", "owner": "bea@example.com"}
        },
    )

    key: Key
    name: Annotated[str, Field(min_length=1, max_length=200)]
    description: Annotated[str | None, Field(max_length=10_000)] = None
    owner: Annotated[str | None, Field(max_length=200)] = None
    facets: Facets = Facets()


class _Changed(BaseModel):
    """What a patched use case has to look like."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=200)]
    description: Annotated[str | None, Field(max_length=10_000)] = None
    owner: Annotated[str | None, Field(max_length=200)] = None
    facets: Facets = Facets()


class StageIn(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"stage": "development"}})

    stage: Stage


class UseCaseOut(BaseModel):
    """What the AI is for."""

    id: UUID
    key: str
    name: str
    description: str | None
    owner: str | None
    stage: Stage
    facets: dict[str, dict[str, Any]]
    completeness: dict[str, FacetState]
    complete: bool
    created_at: datetime
    created_by: str
    modified_at: datetime
    modified_by: str

    @classmethod
    def of(cls, use_case: UseCase) -> "UseCaseOut":
        return cls.model_validate({name: getattr(use_case, name) for name in cls.model_fields})


class FacetGap(FacetState):
    #: The role that is asked first.
    whose_job: str


class CompletenessOut(BaseModel):
    """What is missing before this can be approved, and whose job it is."""

    complete: bool
    facets: dict[str, FacetGap]


class CandidateModel(BaseModel):
    """A model version that stands, or stood, for the use case."""

    candidacy: UUID
    status: str
    model_version: str
    #: Null while the catalogue has not heard of the version itself.
    model_version_id: UUID | None
    name: str | None
    version: int | None
    type: str | None
    model_version_status: str | None
    changed_at: datetime


class UseCaseState(BaseModel):
    """One state of a use case, and how it differs from the one before."""

    sequence: int
    at: datetime
    by: str
    changes: list[Change]
    state: dict[str, Any]


@routes.get("/use-cases", summary="List use cases, the newest first")
async def list_use_cases(
    request: Request,
    _: Reader,
    q: Annotated[str | None, Query(max_length=200, description="Words, or beginnings of words")] = None,
    stage: Stage | None = None,
    risk_class: RiskClass | None = None,
    owner: Annotated[str | None, Query(max_length=200)] = None,
    complete: Annotated[bool | None, Query(description="Whether all six facets say what they have to")] = None,
    limit: Limit = 50,
    cursor: CursorText = None,
) -> Page[UseCaseOut]:
    """Filters narrow each other."""
    selection = [q, stage, risk_class, owner, complete]
    words = search.query(q)
    if q and words is None:
        return Page(items=[])
    after = read_cursor(cursor, of=selection, shape=[UUID]) or [None]
    database: Database = request.app.state.database
    async with database.connection() as connection:
        rows = await connection.fetch(LIST, words, stage, risk_class, owner, complete, after[0], limit + 1)
    items, next_cursor = page([UseCase.of(row) for row in rows], limit, key=lambda u: [u.id], of=selection)
    return Page(items=[UseCaseOut.of(use_case) for use_case in items], next_cursor=next_cursor)


@routes.post(
    "/use-cases",
    summary="Create a use case",
    status_code=201,
    response_model=UseCaseOut,
    responses=documented(Conflict),
)
async def create_use_case(
    given: UseCaseIn, request: Request, who: Writer, idempotency_key: IdempotencyKey = None
) -> Response:
    """The rest can be told later, by whoever knows it."""
    database: Database = request.app.state.database
    async with database.transaction() as uow:

        async def act() -> Response:
            now = uow.clock.now()
            use_case = UseCase(
                id=ids.new(),
                key=given.key,
                name=given.name,
                description=given.description,
                owner=given.owner or who.subject,
                stage=Stage.IDEATION,
                facets=given.facets.document(),
                created_at=now,
                created_by=who.subject,
                modified_at=now,
                modified_by=who.subject,
                sequence=1,
                changed_sequence=1,
                has_models=False,
            )
            if not await store.insert(uow, use_case):
                raise Conflict(f"there is a use case {given.key!r} already")
            uow.audit(who.subject, "use_case.created", given.key, {"name": given.name})
            return _answer(use_case, status=201)

        return await once(uow, request, who, idempotency_key, act)


@routes.get("/use-cases/{key}", summary="Read a use case", responses=documented(NotFound))
async def get_use_case(key: str, request: Request, response: Response, _: Reader) -> UseCaseOut:
    """With its facets, and whether they say what they have to."""
    use_case = await _found(request, key)
    response.headers["ETag"] = etag(use_case.sequence)
    return UseCaseOut.of(use_case)


@routes.patch(
    "/use-cases/{key}",
    summary="Change a use case",
    response_model=UseCaseOut,
    responses=documented(NotFound, Stale, PreconditionRequired),
)
async def patch_use_case(
    key: str, patch: dict[str, Any], request: Request, who: Writer, if_match: IfMatch = None
) -> Response:
    """JSON Merge Patch (RFC 7396) of `name`, `description`, `owner` and `facets`: null removes, the unnamed stays."""
    database: Database = request.app.state.database
    async with database.transaction() as uow:
        before = await store.find(await uow.sql(), key, lock=True)
        if before is None:
            raise NotFound(f"there is no use case {key!r}")
        require_match(if_match, before.sequence)
        changed = _validated(merged(_changeable(before), patch))
        after = replace(
            before,
            name=changed.name,
            description=changed.description,
            owner=changed.owner,
            facets=changed.facets.document(),
        )
        changes = diff(_changeable(before), _changeable(after))
        if changes:
            now = uow.clock.now()
            after = replace(
                after,
                modified_at=now,
                modified_by=who.subject,
                sequence=before.sequence + 1,
                changed_sequence=before.changed_sequence + 1,
            )
            await store.update(uow, after, was=before.sequence)
            uow.audit(who.subject, "use_case.changed", key, {"parts": [change.part for change in changes]})
        return _answer(after)


@routes.post(
    "/use-cases/{key}/stage",
    summary="Move a use case to another stage",
    response_model=UseCaseOut,
    responses=documented(NotFound, Conflict, Stale),
)
async def move_use_case(
    key: str,
    to: StageIn,
    request: Request,
    who: Writer,
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """`ideation` → `development` → `monitoring`; to `rejected` or `archived` from anywhere."""
    database: Database = request.app.state.database
    async with database.transaction() as uow:

        async def act() -> Response:
            before = await store.find(await uow.sql(), key, lock=True)
            if before is None:
                raise NotFound(f"there is no use case {key!r}")
            if if_match is not None:
                require_match(if_match, before.sequence)
            allowed = STAGES[before.stage]
            if to.stage not in allowed:
                ways = ", ".join(allowed)
                raise Conflict(f"a use case in {before.stage} goes to {ways}, not to {to.stage}", allowed=list(allowed))
            after = replace(
                before,
                stage=to.stage,
                modified_at=uow.clock.now(),
                modified_by=who.subject,
                sequence=before.sequence + 1,
                changed_sequence=before.changed_sequence + 1,
            )
            await store.update(uow, after, was=before.sequence)
            uow.audit(who.subject, "use_case.moved", key, {"from": before.stage, "to": to.stage})
            return _answer(after)

        return await once(uow, request, who, idempotency_key, act)


@routes.get("/use-cases/{key}/completeness", summary="Read what a use case still lacks", responses=documented(NotFound))
async def get_use_case_completeness(key: str, request: Request, _: Reader) -> CompletenessOut:
    """Facet by facet: what is missing, and whose job that is."""
    use_case = await _found(request, key)
    return CompletenessOut(
        complete=use_case.complete,
        facets={
            name: FacetGap(**state.model_dump(), whose_job=WHOSE_JOB[name])
            for name, state in use_case.completeness.items()
        },
    )


@routes.get("/use-cases/{key}/models", summary="List the model versions of a use case", responses=documented(NotFound))
async def list_use_case_models(
    key: str, request: Request, _: Reader, limit: Limit = 50, cursor: CursorText = None
) -> Page[CandidateModel]:
    """The newest candidacy first."""
    await _found(request, key)
    after = read_cursor(cursor, of=key, shape=[UUID]) or [None]
    database: Database = request.app.state.database
    async with database.connection() as connection:
        rows = await connection.fetch(CANDIDACIES, key, after[0], limit + 1)
    models = [CandidateModel.model_validate({**row, "candidacy": row["id"]}) for row in rows]
    items, next_cursor = page(models, limit, key=lambda model: [model.candidacy], of=key)
    return Page(items=items, next_cursor=next_cursor)


@routes.get("/use-cases/{key}/history", summary="List every state of a use case", responses=documented(NotFound))
async def list_use_case_history(
    key: str, request: Request, _: Reader, limit: Limit = 50, cursor: CursorText = None
) -> Page[UseCaseState]:
    """The newest first, each with who, when, and what changed."""
    use_case = await _found(request, key)
    after = read_cursor(cursor, of=key, shape=[int]) or [None]
    database: Database = request.app.state.database
    async with database.connection() as connection:
        rows = await connection.fetch(HISTORY, use_case.id, after[0], limit + 1)
    states = [_state(row) for row in rows]
    items, next_cursor = page(states, limit, key=lambda state: [state.sequence], of=key)
    return Page(items=items, next_cursor=next_cursor)


def _state(row: Mapping[str, Any]) -> UseCaseState:
    before, after = row["before"] or {}, row["state"]
    changes = [change for change in diff(before, after) if change.part not in _NOT_COMPARED]
    return UseCaseState(sequence=row["sequence"], at=row["at"], by=row["by"], changes=changes, state=after)


async def _found(request: Request, key: str) -> UseCase:
    database: Database = request.app.state.database
    async with database.connection() as connection:
        use_case = await store.find(connection, key)
    if use_case is None:
        raise NotFound(f"there is no use case {key!r}")
    return use_case


def _changeable(use_case: UseCase) -> dict[str, Any]:
    return {
        "name": use_case.name,
        "description": use_case.description,
        "owner": use_case.owner,
        "facets": use_case.facets,
    }


def _validated(document: Any) -> _Changed:
    try:
        return _Changed.model_validate(document)
    except ValidationError as error:
        faults = [{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors(include_url=False)]
        raise RequestValidationError(faults) from error


def _answer(use_case: UseCase, *, status: int = 200) -> Response:
    headers = {"ETag": etag(use_case.sequence)}
    if status == 201:
        headers["Location"] = f"/v1/use-cases/{use_case.key}"
    return Response(UseCaseOut.of(use_case).model_dump_json(), status, headers, "application/json")
