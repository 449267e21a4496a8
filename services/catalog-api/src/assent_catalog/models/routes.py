"""`/v1/models`."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import asyncpg
from assent_common.content import Change
from assent_common.database import Database
from assent_common.events.registry import Kind, Metric
from assent_common.http.app import router
from assent_common.http.etags import etag
from assent_common.http.fields import Fields
from assent_common.http.pages import CursorText, Limit, Page, page, read_cursor
from assent_common.http.problems import BadRequest, FieldError, NotFound, NotYetKnown, documented
from assent_common.identity.roles import Reader
from fastapi import Query, Request, Response
from pydantic import BaseModel

from assent_catalog import history
from assent_catalog.history import From, State, To
from assent_catalog.model_versions import store as versions
from assent_catalog.model_versions import written
from assent_catalog.model_versions.asked import AsOf
from assent_catalog.model_versions.schemas import VersionSummary

routes = router(tags=["models"])

_COUNTED = "(select count(*) from model_versions v where v.model_id = m.id and v.live)"
_SELECT = """
select m.id, m.urn, m.source, m.name, m.live, m.created_at, m.record->>'description' as description,
       m.record->>'created_by' as created_by, coalesce(m.record->'tags', '{{}}') as tags, m.sequence,
       {counted} as versions
  from {models} m
"""
# As it was told by then. Index: the primary key of the history, model_versions_model.
_KNOWN_AT = """
(select c.id, c.urn, h.state->>'source' as source, h.state->>'name' as name, not h.removed as live, c.created_at,
        h.state as record, c.sequence
   from models c
   join lateral (
       select o.state, exists (select from model_history r where r.urn = o.urn and r.sequence > o.sequence
                                  and r.at <= $6 and r.state is null) as removed
         from model_history o
        where o.urn = c.urn and o.at <= $6 and o.state is not null
        order by o.sequence desc limit 1) h on true)
"""
_COUNTED_AT = """
(select count(*) from model_versions v
  where v.model_id = m.id
    and (select s.state is not null from model_version_history s where s.urn = v.urn and s.at <= $6
          order by s.sequence desc limit 1))
"""
ONE = _SELECT.format(models="models", counted=_COUNTED) + " where m.id = $1 or m.urn = $2"
_PAGE = """
 where ($1::text is null or m.source = $1) and ($2::text is null or m.name ilike '%' || $2 || '%')
   and ($3::text is null or (m.name, m.id) > ($3, $4))
 order by m.name, m.id limit $5
"""
# Index: models_list.
LIST = _SELECT.format(models="models", counted=_COUNTED) + _PAGE
LIST_AT = _SELECT.format(models=_KNOWN_AT, counted=_COUNTED_AT) + _PAGE
ONE_AT = _SELECT.format(models=_KNOWN_AT, counted=_COUNTED_AT).replace("$6", "$2") + " where m.id = $1"
# The latest versions of each of some models. Index: model_versions_model.
LATEST = f"""
select m.id as model_id, l.item, l.metrics
  from unnest($1::uuid[]) m(id),
       lateral (select (select row_to_json(s)::text from (select {versions.SUMMARY}) s) as item,
                       v.record->'metrics' as metrics
                  from model_versions v where v.model_id = m.id and v.live
                 order by coalesce(v.version, 0) desc, v.id desc limit $2) l
"""  # noqa: S608 - a constant
MOST_EXPANDED = 20
# Index: model_versions_model.
VERSIONS = f"""
select {versions.ITEM} from model_versions v
 where v.model_id = $1 and ($2::int is null or (coalesce(v.version, 0), v.id) < ($2, $3::uuid))
 order by coalesce(v.version, 0) desc, v.id desc
 limit $4
"""  # noqa: S608 - a constant


class ModelOut(BaseModel):
    """A line of versions: SageMaker's model package group."""

    id: UUID
    urn: str
    source: str
    name: str
    #: Whether its source still has it.
    live: bool
    description: str | None
    created_at: datetime
    created_by: str | None
    tags: dict[str, str]
    #: How many versions its source has.
    versions: int
    #: With `expand=versions`: the latest of them, at most twenty.
    latest_versions: list[VersionSummary] | None = None
    #: With `expand=metrics`: what is known of the latest of them.
    latest_metrics: dict[str, Metric] | None = None


class Expand(StrEnum):
    """What belongs to it, in the same answer."""

    VERSIONS = "versions"
    METRICS = "metrics"


ExpandText = Annotated[str | None, Query(max_length=100, description="What to give along: `versions`, `metrics`")]


@routes.get("/models", summary="List models by name")
async def list_models(
    request: Request,
    _: Reader,
    source: Annotated[str | None, Query(max_length=100)] = None,
    q: Annotated[str | None, Query(max_length=100, description="A part of the name")] = None,
    as_of: AsOf = None,
    expand: ExpandText = None,
    fields: Fields = None,
    limit: Limit = 50,
    cursor: CursorText = None,
) -> Page[ModelOut]:
    """Model package groups of all sources."""
    of = [source, q, as_of]
    after = read_cursor(cursor, of=of, shape=[str, UUID]) or [None, None]
    expanded = _expanded(expand, as_of)
    part = q.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") if q else None
    values = [source, part, *after, limit + 1]
    database: Database = request.app.state.database
    async with database.connection() as connection:
        rows = await connection.fetch(*((LIST, *values) if as_of is None else (LIST_AT, *values, as_of)))
        items, next_cursor = page([_out(row) for row in rows], limit, key=lambda m: [m.name, m.id], of=of)
        return Page(items=await _with(connection, items, expanded), next_cursor=next_cursor)


@routes.get(
    "/models/{id:path}/versions",
    summary="List the versions of a model",
    response_model=Page[VersionSummary],
    responses=documented(NotYetKnown),
)
async def list_versions_of_model(
    id: str, request: Request, _: Reader, fields: Fields = None, limit: Limit = 50, cursor: CursorText = None
) -> Response:
    """The newest version first."""
    after = read_cursor(cursor, of=id, shape=[int, UUID]) or [None, None]
    database: Database = request.app.state.database
    async with database.connection() as connection:
        model = await _found(connection, id)
        rows = await connection.fetch(VERSIONS, model["id"], *after, limit + 1)
    items, next_cursor = page(
        [row["item"] for row in rows],
        limit,
        key=lambda item: versions.key_of(versions.Sort.LATEST_VERSION, item),
        of=id,
    )
    return written.page(items, next_cursor=next_cursor)


@routes.get("/models/{id:path}/history", summary="List what was told of a model", responses=documented(NotYetKnown))
async def list_model_history(
    id: str, request: Request, _: Reader, as_of: AsOf = None, limit: Limit = 50, cursor: CursorText = None
) -> Page[State]:
    """The newest first: what the registry showed, and how it differs."""
    of = [id, as_of]
    after = read_cursor(cursor, of=of, shape=[int]) or [None]
    database: Database = request.app.state.database
    async with database.connection() as connection:
        model = await _found(connection, id)
        states = await history.page(connection, Kind.MODEL, model["urn"], after[0], as_of, limit + 1)
    items, next_cursor = page(states, limit, key=lambda state: [state.sequence], of=of)
    return Page(items=items, next_cursor=next_cursor)


@routes.get("/models/{id:path}/diff", summary="Compare a model with itself", responses=documented(NotYetKnown))
async def compare_model(id: str, request: Request, _: Reader, from_: From, to: To = None) -> list[Change]:
    """What differs between two moments, field by field."""
    database: Database = request.app.state.database
    async with database.connection() as connection:
        model = await _found(connection, id)
        return await history.compared(connection, Kind.MODEL, model["urn"], from_, to or database.clock.now())


@routes.get("/models/{id:path}", summary="Read a model", responses=documented(NotYetKnown))
async def get_model(
    id: str,
    request: Request,
    response: Response,
    _: Reader,
    as_of: AsOf = None,
    expand: ExpandText = None,
    fields: Fields = None,
) -> ModelOut:
    """By id, or by its urn."""
    expanded = _expanded(expand, as_of)
    database: Database = request.app.state.database
    async with database.connection() as connection:
        row = await _found(connection, id)
        if as_of is not None:
            row = await connection.fetchrow(ONE_AT, row["id"], as_of)
            if row is None:
                raise NotFound(f"it was not known at {as_of.isoformat()}")
            return _out(row)
        if not expanded:
            # Versions come and go without a new state of their model: with them it is no answer to keep.
            response.headers["ETag"] = etag(row["sequence"])
        return (await _with(connection, [_out(row)], expanded))[0]


def _out(row: Mapping[str, Any]) -> ModelOut:
    return ModelOut.model_validate(dict(row))


def _expanded(text: str | None, as_of: datetime | None) -> frozenset[Expand]:
    names = {name.strip() for name in text.split(",")} if text else set()
    if unknown := sorted(names - set(Expand)):
        detail = f"cannot expand {unknown[0]!r}, only {', '.join(Expand)}"
        raise BadRequest(detail, errors=[FieldError(pointer="?expand", code="unknown_expand", detail=detail)])
    if names and as_of is not None:
        raise BadRequest("what belongs to it is given along as of now alone: leave out `expand` or `as_of`")
    return frozenset(map(Expand, names))


async def _with(connection: asyncpg.Connection, models: list[ModelOut], expanded: frozenset[Expand]) -> list[ModelOut]:
    if not expanded or not models:
        return models
    many = MOST_EXPANDED if Expand.VERSIONS in expanded else 1
    latest: dict[UUID, list[Any]] = {model.id: [] for model in models}
    for row in await connection.fetch(LATEST, list(latest), many):
        latest[row["model_id"]].append(row)
    return [
        model.model_copy(
            update={
                "latest_versions": [VersionSummary.model_validate_json(row["item"]) for row in latest[model.id]]
                if Expand.VERSIONS in expanded
                else None,
                "latest_metrics": {
                    name: Metric.model_validate(metric)
                    for row in latest[model.id][:1]
                    for name, metric in (row["metrics"] or {}).items()
                }
                if Expand.METRICS in expanded
                else None,
            }
        )
        for model in models
    ]


async def _found(connection: asyncpg.Connection, urn_or_id: str) -> Mapping[str, Any]:
    try:
        id_ = UUID(urn_or_id)
    except ValueError:
        id_ = None
    row: Mapping[str, Any] | None = await connection.fetchrow(ONE, id_, urn_or_id)
    if row is None:
        raise NotYetKnown(f"model {urn_or_id!r} is not known here")
    return row
