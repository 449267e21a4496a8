"""`/v1/deployments`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import asyncpg
from assent_common.content import Change
from assent_common.database import Database
from assent_common.events.registry import Kind, Monitor
from assent_common.http.app import router
from assent_common.http.etags import etag
from assent_common.http.fields import Fields
from assent_common.http.pages import CursorText, Limit, Page, page, read_cursor
from assent_common.http.problems import NotYetKnown, documented
from assent_common.identity.roles import Reader
from fastapi import Query, Request, Response
from pydantic import BaseModel

from assent_catalog import history
from assent_catalog.history import From, State, To
from assent_catalog.model_versions.asked import AsOf

routes = router(tags=["deployments"])

_LIST = """
select d.id, d.urn, d.source, d.kind, d.name, d.variant, d.status, d.model_version, d.created_at, d.modified_at,
       v.status as model_version_status
  from {deployments} d left join model_versions v on v.urn = d.model_version
 where d.live and ($1::text is null or d.source = $1) and ($2::text is null or d.model_version = $2)
   and ($3::text is null or d.urn > $3)
 order by d.urn limit $4
"""
# As they were told by then; the status of what they served is that of now. Index: the primary key of the history.
KNOWN_AT = """
(select c.id, c.urn, h.state->>'source' as source, h.state->>'kind' as kind, h.state->>'name' as name,
        h.state->>'variant' as variant, h.state->>'status' as status, h.state->>'model_version' as model_version,
        c.created_at, (h.state->>'modified_at')::timestamptz as modified_at, true as live
   from deployments c
   join lateral (select state from deployment_history o where o.urn = c.urn and o.at <= $5
                  order by o.sequence desc limit 1) h on h.state is not null)
"""
LIST = _LIST.format(deployments="deployments")
LIST_AT = _LIST.format(deployments=KNOWN_AT)


class DeploymentOut(BaseModel):
    """What serves a model version now."""

    id: UUID
    urn: str
    source: str
    kind: str
    name: str
    variant: str | None
    status: str | None
    #: The urn of what it serves; null where that could not be told.
    model_version: str | None
    #: Whether anybody agreed to it.
    model_version_status: str | None
    created_at: datetime
    modified_at: datetime | None


ONE = """
select d.*, v.status as model_version_status from deployments d left join model_versions v on v.urn = d.model_version
 where d.urn = $1 or d.id = $2
"""


class DeploymentWhole(DeploymentOut):
    """A deployment with how it is watched, and the source's own document."""

    #: False where its source no longer has it.
    live: bool
    #: All model versions that it serves.
    model_versions: list[str] = []
    #: How they were told: by `model_package`, or by where the `artifact` lies.
    matched_by: str | None = None
    #: The share of its endpoint's traffic.
    weight: float | None = None
    shadow: bool = False
    endpoint: str | None = None
    monitors: list[Monitor] = []
    raw: Any


@routes.get(
    "/deployments/{id:path}/history", summary="List what was told of a deployment", responses=documented(NotYetKnown)
)
async def list_deployment_history(
    id: str, request: Request, _: Reader, as_of: AsOf = None, limit: Limit = 50, cursor: CursorText = None
) -> Page[State]:
    """The newest first: what the registry showed, and how it differs."""
    of = [id, as_of]
    after = read_cursor(cursor, of=of, shape=[int]) or [None]
    database: Database = request.app.state.database
    async with database.connection() as connection:
        deployment = await _found(connection, id)
        states = await history.page(connection, Kind.DEPLOYMENT, deployment["urn"], after[0], as_of, limit + 1)
    items, next_cursor = page(states, limit, key=lambda state: [state.sequence], of=of)
    return Page(items=items, next_cursor=next_cursor)


@routes.get(
    "/deployments/{id:path}/diff", summary="Compare a deployment with itself", responses=documented(NotYetKnown)
)
async def compare_deployment(id: str, request: Request, _: Reader, from_: From, to: To = None) -> list[Change]:
    """What differs between two moments, field by field."""
    database: Database = request.app.state.database
    async with database.connection() as connection:
        urn = (await _found(connection, id))["urn"]
        return await history.compared(connection, Kind.DEPLOYMENT, urn, from_, to or database.clock.now())


@routes.get("/deployments/{id:path}", summary="Read a deployment", responses=documented(NotYetKnown))
async def get_deployment(
    id: str, request: Request, response: Response, _: Reader, as_of: AsOf = None, fields: Fields = None
) -> DeploymentWhole:
    """By id, or by its urn. Of an earlier moment, without the source's own document."""
    database: Database = request.app.state.database
    async with database.connection() as connection:
        row = await _found(connection, id)
        if as_of is not None:
            known = await history.at(connection, Kind.DEPLOYMENT, row["urn"], as_of)
            return DeploymentWhole.model_validate({**row, "raw": None, **known.state, "live": not known.removed})
    response.headers["ETag"] = etag(row["sequence"])
    return DeploymentWhole.model_validate({**row["record"], **row})


@routes.get("/deployments", summary="List what serves now")
async def list_deployments(
    request: Request,
    _: Reader,
    source: Annotated[str | None, Query(max_length=100)] = None,
    model_version: Annotated[str | None, Query(max_length=2048, description="Urn")] = None,
    as_of: AsOf = None,
    fields: Fields = None,
    limit: Limit = 50,
    cursor: CursorText = None,
) -> Page[DeploymentOut]:
    """With the status of the model version behind each."""
    of = [source, model_version, as_of]
    after = read_cursor(cursor, of=of, shape=[str]) or [None]
    database: Database = request.app.state.database
    async with database.connection() as connection:
        values = [source, model_version, after[0], limit + 1]
        rows = await connection.fetch(*((LIST, *values) if as_of is None else (LIST_AT, *values, as_of)))
    deployments = [DeploymentOut.model_validate(dict(row)) for row in rows]
    items, next_cursor = page(deployments, limit, key=lambda deployment: [deployment.urn], of=of)
    return Page(items=items, next_cursor=next_cursor)


async def _found(connection: asyncpg.Connection, urn_or_id: str) -> Mapping[str, Any]:
    try:
        id_ = UUID(urn_or_id)
    except ValueError:
        id_ = None
    row: Mapping[str, Any] | None = await connection.fetchrow(ONE, urn_or_id, id_)
    if row is None:
        raise NotYetKnown(f"deployment {urn_or_id!r} is not known here")
    return row
