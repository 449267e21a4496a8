"""`/v1/use-cases`."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import asyncpg
from assent_common.content import Change, diff
from assent_common.database import Database
from assent_common.events.catalog import Stage
from assent_common.http.app import router
from assent_common.http.etags import IfMatch, etag, require_match
from assent_common.http.fields import Fields
from assent_common.http.idempotency import IdempotencyKey, once
from assent_common.http.pages import CursorText, Limit, Page, page, read_cursor
from assent_common.http.problems import (
    BadRequest,
    Conflict,
    FieldError,
    NotFound,
    PreconditionRequired,
    Stale,
    documented,
)
from assent_common.identity.roles import Reader
from fastapi import Body, Path, Query, Request, Response
from pydantic import AwareDatetime

from assent_catalog import search
from assent_catalog.model_versions.asked import AsOf
from assent_catalog.use_cases import store, write
from assent_catalog.use_cases.answer import answer
from assent_catalog.use_cases.custom import CustomFields
from assent_catalog.use_cases.facets import RiskClass
from assent_catalog.use_cases.model import WHOSE_JOB, merged
from assent_catalog.use_cases.roles import Writer
from assent_catalog.use_cases.schemas import (
    CandidateModel,
    CompletenessOut,
    FacetGap,
    Similar,
    UseCaseIn,
    UseCaseOut,
    UseCaseState,
    Written,
)
from assent_catalog.use_cases.store import UseCase
from assent_catalog.use_cases.templates import TEMPLATES, Template

routes = router(tags=["use cases"])

NewKey = Annotated[str, Path(pattern=r"^[a-z0-9]([a-z0-9-]{0,98}[a-z0-9])?$")]

# Ids are UUIDv7: the newest first. Index: the primary key, use_cases_stage, use_cases_search.
_LIST = """
select u.* from {use_cases} u
 where ($1::text is null or u.search @@ to_tsquery('simple', $1))
   and ($2::text is null or u.stage = $2)
   and ($3::text is null or u.facets->'legal'->>'risk_class' = $3)
   and ($4::text is null or u.owner = $4)
   and ($5::boolean is null or {complete} = $5)
   and ($6::uuid is null or u.id < $6)
 order by u.id desc
 limit $7
"""
LIST = _LIST.format(use_cases="use_cases", complete="u.complete")
LIST_AT = _LIST.format(use_cases=store.KNOWN_AT.replace("$1", "$8"), complete="null::boolean")
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


@routes.get("/use-case-templates", summary="List the templates of use cases")
async def list_use_case_templates(_: Reader) -> Page[Template]:
    """What is usually true of a kind of use case, and what has to be thought about."""
    return Page(items=list(TEMPLATES.values()))


@routes.get("/use-case-schema", summary="Read the schema of the company's own fields")
async def get_use_case_schema(request: Request, _: Reader) -> dict[str, Any]:
    """JSON Schema (2020-12) of the facet `custom`."""
    return _custom(request).schema


@routes.get("/use-cases", summary="List use cases, the newest first")
async def list_use_cases(
    request: Request,
    _: Reader,
    q: Annotated[str | None, Query(max_length=200, description="Words, or beginnings of words")] = None,
    stage: Stage | None = None,
    risk_class: RiskClass | None = None,
    owner: Annotated[str | None, Query(max_length=200)] = None,
    complete: Annotated[bool | None, Query(description="Whether all six facets say what they have to")] = None,
    as_of: AsOf = None,
    fields: Fields = None,
    limit: Limit = 50,
    cursor: CursorText = None,
) -> Page[UseCaseOut]:
    """Filters narrow each other."""
    selection = [q, stage, risk_class, owner, complete, as_of]
    if as_of is not None and (q or complete is not None):
        raise BadRequest(
            "words are searched, and completeness told, as things stand now: leave out `q`, `complete` or `as_of`"
        )
    words = search.query(q)
    if q and words is None:
        return Page(items=[])
    after = read_cursor(cursor, of=selection, shape=[UUID]) or [None]
    database: Database = request.app.state.database
    async with database.connection() as connection:
        values = [words, stage, risk_class, owner, complete, after[0], limit + 1]
        rows = await connection.fetch(*((LIST, *values) if as_of is None else (LIST_AT, *values, as_of)))
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
    """The rest can be told later, by whoever knows it. What a template fills in, what is given here replaces.

    Others that may be the same are pointed to by `Link` headers of the relation `related`.
    """
    document = _on_template(given)
    database: Database = request.app.state.database
    async with database.transaction() as uow:

        async def act() -> Response:
            use_case = await write.create(uow, given.key, write.checked(document, _custom(request)), by=who.subject)
            if use_case is None:
                raise Conflict(f"there is a use case {given.key!r} already")
            created = answer(use_case, status=201)
            if alike := await _similar(await uow.sql(), use_case):
                created.headers["Link"] = ", ".join(f'</v1/use-cases/{each.key}>; rel="related"' for each in alike)
            return created

        return await once(uow, request, who, idempotency_key, act)


@routes.put(
    "/use-cases/{key}",
    summary="Create a use case, or replace what is written of it",
    response_model=UseCaseOut,
    responses=documented(Conflict, Stale, PreconditionRequired) | {201: {"model": UseCaseOut}},
)
async def put_use_case(
    key: NewKey, given: Written, request: Request, who: Writer, if_match: IfMatch = None
) -> Response:
    """The same twice does no more than once. What stands is replaced only by who has read it (`If-Match`)."""
    written = write.checked(given.model_dump(mode="json", exclude_none=True), _custom(request))
    database: Database = request.app.state.database
    async with database.transaction() as uow:
        before = await store.find(await uow.sql(), key, lock=True)
        if before is None:
            if if_match is not None:
                raise Stale(f"there is no use case {key!r} any more, or not yet")
            created = await write.create(uow, key, written, by=who.subject)
            if created is None:
                raise Conflict(f"somebody created the use case {key!r} at the same moment")
            return answer(created, status=201)
        if if_match is not None or not write.says_the_same(before, written):
            require_match(if_match, before.sequence)
        after = await write.change(uow, before, written, by=who.subject)
        return answer(after)


@routes.get("/use-cases/{key}", summary="Read a use case", responses=documented(NotFound))
async def get_use_case(
    key: str, request: Request, response: Response, _: Reader, as_of: AsOf = None, fields: Fields = None
) -> UseCaseOut:
    """With its facets, and whether they say what they have to."""
    use_case = await _found(request, key, as_of)
    if as_of is not None:
        return UseCaseOut.of(use_case)
    response.headers["ETag"] = etag(use_case.sequence)
    return UseCaseOut.of(use_case)


Patch = Annotated[
    dict[str, Any],
    Body(
        openapi_examples={
            "a new owner, a purpose, and no description": {
                "value": {
                    "owner": "bea@example.com",
                    "description": None,
                    "facets": {"business_context": {"purpose": "Call those first who are about to leave"}},
                }
            }
        }
    ),
]


@routes.patch(
    "/use-cases/{key}",
    summary="Change a use case",
    response_model=UseCaseOut,
    responses=documented(NotFound, Stale, PreconditionRequired),
)
async def patch_use_case(key: str, patch: Patch, request: Request, who: Writer, if_match: IfMatch = None) -> Response:
    """JSON Merge Patch (RFC 7396) of what is written of it: null removes, what is not named stays."""
    database: Database = request.app.state.database
    async with database.transaction() as uow:
        before = await store.find(await uow.sql(), key, lock=True)
        if before is None:
            raise NotFound(f"there is no use case {key!r}")
        require_match(if_match, before.sequence)
        written = write.checked(merged(write.changeable(before), patch), _custom(request))
        after = await write.change(uow, before, written, by=who.subject)
        return answer(after)


@routes.get("/use-cases/{key}/completeness", summary="Read what a use case still lacks", responses=documented(NotFound))
async def get_use_case_completeness(key: str, request: Request, _: Reader) -> CompletenessOut:
    """Facet by facet: what is missing, and whose job that is."""
    use_case = await _found(request, key)
    people = use_case.facets.get("accountability", {})
    return CompletenessOut(
        complete=use_case.complete,
        facets={
            name: FacetGap(**state.model_dump(), whose_job=WHOSE_JOB[name], person=people.get(WHOSE_JOB[name]))
            for name, state in use_case.completeness.items()
        },
    )


@routes.get("/use-cases/{key}/diff", summary="Compare a use case with itself", responses=documented(NotFound))
async def compare_use_case(
    key: str,
    request: Request,
    _: Reader,
    from_: Annotated[AwareDatetime, Query(alias="from", description="The left side as of this moment")],
    to: Annotated[AwareDatetime | None, Query(description="The right side as of this moment; or now")] = None,
) -> list[Change]:
    """What differs between two moments, field by field."""
    left, right = await _found(request, key, from_), await _found(request, key, to)
    return diff(_compared(left), _compared(right))


@routes.get("/use-cases/{key}/similar", summary="List use cases that may be the same", responses=documented(NotFound))
async def list_similar_use_cases(key: str, request: Request, _: Reader) -> Page[Similar]:
    """Those whose names say much the same."""
    use_case = await _found(request, key)
    database: Database = request.app.state.database
    async with database.connection() as connection:
        return Page(items=await _similar(connection, use_case))


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


def _compared(use_case: UseCase) -> dict[str, Any]:
    return {**write.changeable(use_case), "stage": use_case.stage}


async def _found(request: Request, key: str, as_of: datetime | None = None) -> UseCase:
    database: Database = request.app.state.database
    async with database.connection() as connection:
        if as_of is None:
            use_case = await store.find(connection, key)
        else:
            use_case = await store.known_at(connection, key, as_of)
    if use_case is None:
        raise NotFound(f"there is no use case {key!r}")
    return use_case


def _on_template(given: UseCaseIn) -> dict[str, Any]:
    document = given.model_dump(mode="json", exclude_none=True, exclude={"key", "template"})
    if given.template is None:
        return document
    if given.template not in TEMPLATES:
        detail = f"there is no template {given.template!r}; there are {', '.join(TEMPLATES)}"
        raise BadRequest(detail, errors=[FieldError(pointer="/template", code="unknown_template", detail=detail)])
    return {**document, "facets": merged(TEMPLATES[given.template].facets.document(), document["facets"])}


async def _similar(connection: asyncpg.Connection, use_case: UseCase) -> list[Similar]:
    """Those that share at least half of the words of both names."""
    words = _words(use_case.name) | _words(use_case.key)
    if not words:
        return []
    found = await store.similar(connection, use_case.key, " | ".join(sorted(words)))
    alike = [Similar(key=key, name=name) for key, name in found if _overlap(words, _words(name) | _words(key)) >= 0.5]
    return alike[:5]


def _words(text: str) -> set[str]:
    return {word for word in re.findall(r"[^\W_]+", text.lower()) if len(word) > 2}


def _overlap(one: set[str], other: set[str]) -> float:
    return len(one & other) / len(one | other)


def _custom(request: Request) -> CustomFields:
    custom: CustomFields = request.app.state.custom_fields
    return custom
