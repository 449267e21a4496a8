"""The states of a model or a deployment, the newest first, each with what differs from the one before."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import asyncpg
from assent_common.content import Change, diff
from assent_common.events.registry import Kind
from pydantic import BaseModel

from assent_catalog.projection.histories import TABLES

_PAGE = """
select h.sequence, h.at, h.state, b.state as before
  from {table} h
  left join lateral (select state from {table} p
                      where p.urn = h.urn and p.sequence < h.sequence order by p.sequence desc limit 1) b on true
 where h.urn = $1 and ($2::bigint is null or h.sequence < $2) and ($3::timestamptz is null or h.at <= $3)
 order by h.sequence desc limit $4
"""
PAGE = {kind: _PAGE.format(table=table) for kind, table in TABLES.items()}


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


def _state(row: Mapping[str, Any]) -> State:
    if row["state"] is None:
        return State(sequence=row["sequence"], at=row["at"], removed=True, changes=[])
    changes = diff(row["before"] or {}, row["state"])
    return State(sequence=row["sequence"], at=row["at"], removed=False, changes=changes)
