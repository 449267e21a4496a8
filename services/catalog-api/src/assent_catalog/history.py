"""The states of a model or a deployment, the newest first, each with what differs from the one before."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, NamedTuple

import asyncpg
from assent_common.content import Change, diff
from assent_common.events.registry import Kind
from assent_common.http.problems import NotFound
from fastapi import Query
from pydantic import AwareDatetime, BaseModel

from assent_catalog.projection.histories import TABLES

From = Annotated[AwareDatetime, Query(alias="from", description="The left side as of this moment")]
To = Annotated[AwareDatetime | None, Query(description="The right side as of this moment; or now")]

_PAGE = """
select h.sequence, h.at, h.state, b.state as before
  from {table} h
  left join lateral (select state from {table} p
                      where p.urn = h.urn and p.sequence < h.sequence order by p.sequence desc limit 1) b on true
 where h.urn = $1 and ($2::bigint is null or h.sequence < $2) and ($3::timestamptz is null or h.at <= $3)
 order by h.sequence desc limit $4
"""
PAGE = {kind: _PAGE.format(table=table) for kind, table in TABLES.items()}


_AT = """
select (select state from {table} where urn = $1 and at <= $2 and state is not null order by sequence desc limit 1)
         as state,
       (select state is null from {table} where urn = $1 and at <= $2 order by sequence desc limit 1) as removed
"""
AT = {kind: _AT.format(table=table) for kind, table in TABLES.items()}


class Known(NamedTuple):
    """What was known at a moment: the last that was observed, and whether it was gone by then."""

    state: Mapping[str, Any]
    removed: bool


class State(BaseModel):
    """Something that its registry told."""

    sequence: int
    at: datetime
    #: True where it is the last: its source no longer has it.
    removed: bool
    changes: list[Change]


async def page(
    connection: asyncpg.Connection, kind: Kind, urn: str, before: int | None, as_of: datetime | None, limit: int
) -> list[State]:
    return [_state(row) for row in await connection.fetch(PAGE[kind], urn, before, as_of, limit)]


async def at(connection: asyncpg.Connection, kind: Kind, urn: str, moment: datetime) -> Known:
    """Raises NotFound where nothing was known of it yet."""
    row = await connection.fetchrow(AT[kind], urn, moment)
    if row["state"] is None:
        raise NotFound(f"it was not known at {moment.isoformat()}")
    return Known(row["state"], row["removed"])


async def compared(
    connection: asyncpg.Connection, kind: Kind, urn: str, left: datetime, right: datetime
) -> list[Change]:
    """What differs between two moments, field by field. Raises NotFound."""
    before, after = await at(connection, kind, urn, left), await at(connection, kind, urn, right)
    return diff({**before.state, "live": not before.removed}, {**after.state, "live": not after.removed})


def _state(row: Mapping[str, Any]) -> State:
    if row["state"] is None:
        return State(sequence=row["sequence"], at=row["at"], removed=True, changes=[])
    changes = diff(row["before"] or {}, row["state"])
    return State(sequence=row["sequence"], at=row["at"], removed=False, changes=changes)
