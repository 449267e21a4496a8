"""`/v1/models`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import asyncpg
from assent_common.database import Database
from assent_common.events.registry import Kind
from assent_common.http.app import router
from assent_common.http.etags import etag
from assent_common.http.pages import CursorText, Limit, Page, page, read_cursor
from assent_common.http.problems import NotYetKnown, documented
from assent_common.identity.roles import Reader
from fastapi import Query, Request, Response
from pydantic import BaseModel

from assent_catalog import history
from assent_catalog.history import State
from assent_catalog.model_versions import store as versions
from assent_catalog.model_versions.asked import AsOf
from assent_catalog.model_versions.schemas import VersionSummary

routes = router(tags=["models"])

_SELECT = """
select m.id, m.urn, m.source, m.name, m.live, m.created_at, m.record->>'description' as description,
       m.record->>'created_by' as created_by, coalesce(m.record->'tags', '{}') as tags, m.sequence,
       (select count(*) from model_versions v where v.model_id = m.id and v.live) as versions
  from models m
"""
ONE = _SELECT + " where m.id = $1 or m.urn = $2"
# Index: models_list.
LIST = (
    _SELECT
    + """
 where ($1::text is null or m.source = $1) and ($2::text is null or m.name ilike '%' || $2 || '%')
   and ($3::text is null or (m.name, m.id) > ($3, $4))
 order by m.name, m.id limit $5
"""
)
# Index: model_versions_model.
VERSIONS = f"""
select {versions.SUMMARY} from model_versions v
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
    #: How many versions its source has now.
    versions: int


@routes.get("/models", summary="List models by name")
async def list_models(
    request: Request,
    _: Reader,
    source: Annotated[str | None, Query(max_length=100)] = None,
    q: Annotated[str | None, Query(max_length=100, description="A part of the name")] = None,
    limit: Limit = 50,
    cursor: CursorText = None,
) -> Page[ModelOut]:
    """Model package groups of all sources."""
    after = read_cursor(cursor, of=[source, q], shape=[str, UUID]) or [None, None]
    part = q.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") if q else None
    database: Database = request.app.state.database
    async with database.connection() as connection:
        rows = await connection.fetch(LIST, source, part, *after, limit + 1)
    models = [ModelOut.model_validate(dict(row)) for row in rows]
    items, next_cursor = page(models, limit, key=lambda model: [model.name, model.id], of=[source, q])
    return Page(items=items, next_cursor=next_cursor)


@routes.get("/models/{id:path}/versions", summary="List the versions of a model", responses=documented(NotYetKnown))
async def list_versions_of_model(
    id: str, request: Request, _: Reader, limit: Limit = 50, cursor: CursorText = None
) -> Page[VersionSummary]:
    """The newest version first."""
    after = read_cursor(cursor, of=id, shape=[int, UUID]) or [None, None]
    database: Database = request.app.state.database
    async with database.connection() as connection:
        model = await _found(connection, id)
        rows = await connection.fetch(VERSIONS, model["id"], *after, limit + 1)
    items, next_cursor = page(rows, limit, key=lambda row: [row["version"] or 0, row["id"]], of=id)
    return Page(items=[VersionSummary.of(row) for row in items], next_cursor=next_cursor)


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


@routes.get("/models/{id:path}", summary="Read a model", responses=documented(NotYetKnown))
async def get_model(id: str, request: Request, response: Response, _: Reader) -> ModelOut:
    """By id, or by its urn."""
    database: Database = request.app.state.database
    async with database.connection() as connection:
        row = await _found(connection, id)
    response.headers["ETag"] = etag(row["sequence"])
    return ModelOut.model_validate(dict(row))


async def _found(connection: asyncpg.Connection, urn_or_id: str) -> Mapping[str, Any]:
    try:
        id_ = UUID(urn_or_id)
    except ValueError:
        id_ = None
    row: Mapping[str, Any] | None = await connection.fetchrow(ONE, id_, urn_or_id)
    if row is None:
        raise NotYetKnown(f"model {urn_or_id!r} is not known here")
    return row
