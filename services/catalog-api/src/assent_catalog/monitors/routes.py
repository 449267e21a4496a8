"""`/v1/monitors`: what watches over what serves, and what it found."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import asyncpg
from assent_common.content import Change, diff
from assent_common.database import Database
from assent_common.events.registry import MonitorAlert
from assent_common.http.app import router
from assent_common.http.fields import Fields
from assent_common.http.pages import CursorText, Limit, Page, page, read_cursor
from assent_common.http.problems import NotFound, NotYetKnown, documented
from assent_common.identity.roles import Reader
from fastapi import Query, Request
from pydantic import BaseModel

from assent_catalog.history import From, To
from assent_catalog.model_versions.asked import AsOf
from assent_catalog.monitors import history
from assent_catalog.monitors.history import MonitorState

routes = router(tags=["monitors"])

_SELECT = """
select urn, min(source) as source, min(name) as name, min(type) as type, min(status) as status,
       min(last_execution_status) as last_execution_status, max(last_execution_at) as last_execution_at,
       (array_agg(record order by deployment))[1] as record, array_agg(deployment order by deployment) as deployments
  from {monitors}
"""
# Index: the primary key.
ONE = _SELECT.format(monitors="monitors") + " where urn = $1 group by urn"
ONE_AT = f"with known as {history.ONE_KNOWN_AT} {_SELECT.format(monitors='known')} group by urn"
_LIST = f"""{_SELECT}
 where ($1::text is null or source = $1)
   and ($2::text is null or urn in (select urn from {{monitors}} where deployment = $2))
   and ($3::text is null or last_execution_status = $3)
   and ($4::text is null or urn > $4)
 group by urn order by urn limit $5
"""  # noqa: S608 - a constant
# Index: the primary key, monitors_deployment.
LIST = _LIST.format(monitors="monitors")
LIST_AT = f"with known as {history.KNOWN_AT} {_LIST.format(monitors='known')}"
_NOT_KNOWN = "monitor {!r} is not known here"


class MonitorOut(BaseModel):
    """A monitoring schedule: SageMaker's Model Monitor."""

    urn: str
    source: str
    name: str
    #: SageMaker's `MonitoringType`: `DataQuality`, `ModelQuality`, `ModelBias`, `ModelExplainability`.
    type: str | None
    #: SageMaker's `MonitoringScheduleStatus`.
    status: str | None
    #: SageMaker's `MonitoringExecutionStatus`.
    last_execution_status: str | None
    last_execution_at: datetime | None
    failure_reason: str | None = None
    alerts: list[MonitorAlert] = []
    #: The urns of the deployments that it watches.
    deployments: list[str]


@routes.get("/monitors", summary="List what watches over what serves")
async def list_monitors(
    request: Request,
    _: Reader,
    source: Annotated[str | None, Query(max_length=100)] = None,
    deployment: Annotated[str | None, Query(max_length=2048, description="Urn of a deployment")] = None,
    last_execution_status: Annotated[
        str | None, Query(max_length=100, description="How it last went, e.g. `CompletedWithViolations`")
    ] = None,
    as_of: AsOf = None,
    fields: Fields = None,
    limit: Limit = 50,
    cursor: CursorText = None,
) -> Page[MonitorOut]:
    """By urn."""
    of = [source, deployment, last_execution_status, as_of]
    after = read_cursor(cursor, of=of, shape=[str]) or [None]
    database: Database = request.app.state.database
    async with database.connection() as connection:
        values = [source, deployment, last_execution_status, after[0], limit + 1]
        rows = await connection.fetch(*((LIST, *values) if as_of is None else (LIST_AT, *values, as_of)))
    items, next_cursor = page([_out(row) for row in rows], limit, key=lambda monitor: [monitor.urn], of=of)
    return Page(items=items, next_cursor=next_cursor)


@routes.get(
    "/monitors/{urn:path}/history", summary="List what was told of a monitor", responses=documented(NotYetKnown)
)
async def list_monitor_history(
    urn: str, request: Request, _: Reader, as_of: AsOf = None, limit: Limit = 50, cursor: CursorText = None
) -> Page[MonitorState]:
    """The newest first: what was told of it beside each of the deployments that it watches, and how that differs."""
    of = [urn, as_of]
    after = read_cursor(cursor, of=of, shape=[datetime.fromisoformat, str, int]) or [None, None, None]
    database: Database = request.app.state.database
    async with database.connection() as connection:
        states = await history.page(connection, urn, as_of, after, limit + 1)
    if not states and after[0] is None:
        raise NotYetKnown(_NOT_KNOWN.format(urn))
    items, next_cursor = page(states, limit, key=lambda state: [state.at, state.deployment, state.sequence], of=of)
    return Page(items=items, next_cursor=next_cursor)


@routes.get("/monitors/{urn:path}/diff", summary="Compare a monitor with itself", responses=documented(NotFound))
async def compare_monitor(urn: str, request: Request, _: Reader, from_: From, to: To = None) -> list[Change]:
    """What differs between two moments, field by field; the deployments that it watches among them."""
    database: Database = request.app.state.database
    async with database.connection() as connection:
        left = await _at(connection, urn, from_)
        right = await _at(connection, urn, to or database.clock.now())
    return diff(left.model_dump(mode="json"), right.model_dump(mode="json"))


@routes.get("/monitors/{urn:path}", summary="Read a monitor", responses=documented(NotYetKnown))
async def get_monitor(urn: str, request: Request, _: Reader, as_of: AsOf = None, fields: Fields = None) -> MonitorOut:
    """By its urn."""
    database: Database = request.app.state.database
    async with database.connection() as connection:
        if as_of is not None:
            return await _at(connection, urn, as_of)
        row: asyncpg.Record | None = await connection.fetchrow(ONE, urn)
    if row is None:
        raise NotYetKnown(_NOT_KNOWN.format(urn))
    return _out(row)


async def _at(connection: asyncpg.Connection, urn: str, moment: datetime) -> MonitorOut:
    """Raises NotFound where it watched nothing."""
    row = await connection.fetchrow(ONE_AT, urn, moment)
    if row is None:
        raise NotFound(f"it watched nothing at {moment.isoformat()}")
    return _out(row)


def _out(row: Mapping[str, Any]) -> MonitorOut:
    return MonitorOut.model_validate({**row["record"], **row})
