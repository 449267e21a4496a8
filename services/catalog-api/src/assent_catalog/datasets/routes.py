"""`/v1/datasets`: the data behind the models, as far as training jobs, reports and use cases name it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import asyncpg
from assent_common.content import Change, diff
from assent_common.database import Database
from assent_common.http.app import router
from assent_common.http.fields import Fields
from assent_common.http.pages import CursorText, Limit, Page, page, read_cursor
from assent_common.http.problems import NotYetKnown, documented
from assent_common.identity.roles import Reader
from fastapi import Query, Request
from pydantic import BaseModel

from assent_catalog.datasets import history
from assent_catalog.datasets.history import Naming
from assent_catalog.history import From, To
from assent_catalog.model_versions.asked import AsOf

routes = router(tags=["datasets"])

# Index: lineage_edges_from.
_SELECT = """
select d.id, d.urn, u.model_versions, u.use_cases, u.roles
  from datasets d
  left join lateral (
      select count(distinct e.owner) filter (where e.to_kind <> 'use_case') as model_versions,
             coalesce(array_agg(distinct e.to_urn) filter (where e.to_kind = 'use_case'), '{}') as use_cases,
             coalesce(array_agg(distinct e.relation) filter (where e.to_kind <> 'use_case'), '{}') as roles
        from lineage_edges e where e.from_urn = d.urn and e.from_kind = 'dataset'
  ) u on true
"""
ONE = _SELECT + " where d.urn = $1 or d.id = $2"
URN = "select urn from datasets where urn = $1 or id = $2"
LIST = (
    _SELECT
    + """
 where ($1::text is null or strpos(lower(d.urn), lower($1)) > 0)
   and ($2::text is null or exists (select from lineage_edges e where e.from_urn = d.urn and e.to_urn = $2))
   and ($3::text is null or d.urn > $3)
 order by d.urn limit $4
"""
)


class DatasetOut(BaseModel):
    """Data that trains, validates or feeds a model version."""

    id: UUID
    #: An S3 URI, a feature group's ARN, or the address of another store.
    urn: str
    #: How many model versions name it.
    model_versions: int
    #: The keys of the use cases that name it.
    use_cases: list[str]
    #: What it is used for: `training`, `validation`, `test`, `baseline`, `other`.
    roles: list[str]


@routes.get("/datasets", summary="List the data behind the models")
async def list_datasets(
    request: Request,
    _: Reader,
    q: Annotated[str | None, Query(max_length=500, description="A part of the urn")] = None,
    use_case: Annotated[str | None, Query(max_length=200, description="Named by this use case")] = None,
    as_of: AsOf = None,
    fields: Fields = None,
    limit: Limit = 50,
    cursor: CursorText = None,
) -> Page[DatasetOut]:
    """By urn."""
    of = [q, use_case, as_of]
    after = read_cursor(cursor, of=of, shape=[str]) or [None]
    database: Database = request.app.state.database
    async with database.connection() as connection:
        values = [q, use_case, after[0], limit + 1]
        rows = await connection.fetch(*((LIST, *values) if as_of is None else (history.LIST_AT, *values, as_of)))
    items, next_cursor = page([_out(row) for row in rows], limit, key=lambda dataset: [dataset.urn], of=of)
    return Page(items=items, next_cursor=next_cursor)


@routes.get("/datasets/{id:path}/history", summary="List what was told of a dataset", responses=documented(NotYetKnown))
async def list_dataset_history(
    id: str, request: Request, _: Reader, as_of: AsOf = None, limit: Limit = 50, cursor: CursorText = None
) -> Page[Naming]:
    """The newest first: which model versions and use cases began to name it, for what, and which ceased to."""
    of = [id, as_of]
    after = read_cursor(cursor, of=of, shape=[datetime.fromisoformat, str, str, int]) or [None, None, None, None]
    database: Database = request.app.state.database
    async with database.connection() as connection:
        urn = (await _found(connection, URN, id))["urn"]
        told = await history.page(connection, urn, as_of, after, limit + 1)
    items, next_cursor = page(told, limit, key=lambda each: [each.at, each.kind, each.named_by, each.sequence], of=of)
    return Page(items=items, next_cursor=next_cursor)


@routes.get("/datasets/{id:path}/diff", summary="Compare a dataset with itself", responses=documented(NotYetKnown))
async def compare_dataset(id: str, request: Request, _: Reader, from_: From, to: To = None) -> list[Change]:
    """What differs between two moments, field by field."""
    database: Database = request.app.state.database
    async with database.connection() as connection:
        urn = (await _found(connection, URN, id))["urn"]
        left = await history.at(connection, urn, from_)
        right = await history.at(connection, urn, to or database.clock.now())
    return diff(_out(left).model_dump(), _out(right).model_dump())


@routes.get("/datasets/{id:path}", summary="Read a dataset", responses=documented(NotYetKnown))
async def get_dataset(id: str, request: Request, _: Reader, as_of: AsOf = None, fields: Fields = None) -> DatasetOut:
    """By id, or by its urn."""
    database: Database = request.app.state.database
    async with database.connection() as connection:
        if as_of is None:
            return _out(await _found(connection, ONE, id))
        return _out(await history.at(connection, (await _found(connection, URN, id))["urn"], as_of))


async def _found(connection: asyncpg.Connection, statement: str, urn_or_id: str) -> Mapping[str, Any]:
    try:
        id_ = UUID(urn_or_id)
    except ValueError:
        id_ = None
    row: Mapping[str, Any] | None = await connection.fetchrow(statement, urn_or_id, id_)
    if row is None:
        raise NotYetKnown(f"dataset {urn_or_id!r} is not known here")
    return row


def _out(row: Mapping[str, Any]) -> DatasetOut:
    return DatasetOut.model_validate(dict(row))
