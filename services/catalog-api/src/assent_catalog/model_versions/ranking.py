"""`/v1/rankings`: model versions by one of their metrics, the best first."""

from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import asyncpg
import orjson
from assent_common.database import Database
from assent_common.events.registry import Better, MetricKind
from assent_common.http.app import router
from assent_common.http.fields import Fields
from assent_common.http.pages import CursorText, Limit, Page, page, read_cursor
from assent_common.http.problems import BadRequest, FieldError
from assent_common.identity.roles import Reader
from fastapi import Query, Request, Response
from pydantic import BaseModel

from assent_catalog.model_versions import store, written
from assent_catalog.model_versions.asked import Asked
from assent_catalog.model_versions.schemas import VersionSummary

routes = router(tags=["model versions"])

# Index: metrics_value.
BETTER = "select better from metrics where name = $1 and better is not null limit 1"
_PAGE = """
select m.value, m.model_version, m.standard_deviation, m.dataset, m.slice, m.kind, m.source_name, m.report, m.better,
       m.unreadable_because, (select row_to_json(s)::text from (select {summary}) s) as item
  from metrics m join model_versions v on v.id = m.model_version
 where m.name = {name} and {where}
 order by m.value {direction}, m.model_version {direction}
 limit {limit}
"""


class Order(StrEnum):
    """Where the direction in which the metric gets better is not known, it has to be said."""

    HIGHEST = "highest"
    LOWEST = "lowest"


class Ranked(BaseModel):
    """A version with what was measured of it, as its report says."""

    value: float
    standard_deviation: float | None
    #: `train`, `validation`, `test`, … where the report says.
    dataset: str | None
    #: Of what part of the data it was measured, where not of all.
    slice: str | None
    kind: MetricKind
    #: The name in the report, where it was another.
    source_name: str | None
    #: The report that holds the value.
    report: str | None
    better: Better | None
    #: Why the report could not be read again: the value is the one last read.
    unreadable_because: str | None
    version: VersionSummary


@routes.get("/rankings", summary="Rank model versions by a metric", response_model=Page[Ranked])
async def rank_model_versions(
    request: Request,
    _: Reader,
    selection: Asked,
    by: Annotated[str, Query(min_length=1, max_length=100, description="The name of the metric, e.g. `accuracy`")],
    order: Annotated[Order | None, Query(description="Without it, the better ones first")] = None,
    fields: Fields = None,
    limit: Limit = 50,
    cursor: CursorText = None,
) -> Response:
    """Those that have the metric, of all that the filters select. Where it is not known whether the metric is better
    higher or lower, `order` has to say it."""
    of = [*vars(selection).values(), by, order]
    after = read_cursor(cursor, of=of, shape=[float, UUID])
    database: Database = request.app.state.database
    async with database.connection() as connection:
        highest = await _highest_first(connection, by, order)
        where = selection.where()
        name = where.bind(by)
        if after is not None:
            where.add(f"(m.value, m.model_version) {'<' if highest else '>'} ({{}}::float8, {{}}::uuid)", *after)
        statement = _PAGE.format(
            summary=store.SUMMARY,
            name=name,
            where=where,
            direction="desc" if highest else "asc",
            limit=where.bind(limit + 1),
        )
        rows = await connection.fetch(statement, *where.values)
    shown, next_cursor = page(rows, limit, key=lambda row: [row["value"], row["model_version"]], of=of)
    return written.page([_item(row) for row in shown], next_cursor=next_cursor)


async def _highest_first(connection: asyncpg.Connection, by: str, order: Order | None) -> bool:
    if order is not None:
        return order is Order.HIGHEST
    better = await connection.fetchval(BETTER, by)
    if better is None:
        detail = f"it is not known whether {by!r} is better higher or lower: say `order=highest` or `order=lowest`"
        raise BadRequest(detail, errors=[FieldError(pointer="?order", code="order_unknown", detail=detail)])
    return bool(better == Better.HIGHER)


def _item(row: Any) -> str:
    told = {name: row[name] for name in Ranked.model_fields if name != "version"}
    return f'{orjson.dumps(told).decode()[:-1]},"version":{row["item"]}}}'
