"""What was told of a monitor: it stands in the states of the deployments that it watches."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import asyncpg
from assent_common.content import Change, diff
from pydantic import BaseModel

# Every state of every deployment that it ever watched, with what it says of it ($1). Index:
# deployment_history_monitors, then the primary key.
_TOLD = """
(select h.urn as deployment, h.sequence, h.at, h.state->>'source' as source,
        (select m from jsonb_array_elements(coalesce(h.state->'monitors', '[]')) m where m->>'urn' = $1 limit 1)
        as state
   from deployment_history h
  where h.urn in (select urn from deployment_history
                   where state->'monitors' <> '[]'
                     and state->'monitors' @> jsonb_build_array(jsonb_build_object('urn', $1::text))))
"""
PAGE = f"""
select deployment, sequence, at, state, before
  from (select *, lag(state) over (partition by deployment order by sequence) as before from {_TOLD} told) steps
 where state is distinct from before and ($2::timestamptz is null or at <= $2)
   and ($3::timestamptz is null or (at, deployment, sequence) < ($3, $4::text, $5::bigint))
 order by at desc, deployment desc, sequence desc limit $6
"""  # noqa: S608 - a constant
# As its rows of `monitors` were at a moment ($2).
ONE_KNOWN_AT = f"""
(select $1::text as urn, deployment, source, state->>'name' as name, state->>'type' as type,
        state->>'status' as status, state->>'last_execution_status' as last_execution_status,
        (state->>'last_execution_at')::timestamptz as last_execution_at, state as record
   from (select distinct on (deployment) * from {_TOLD} told where at <= $2 order by deployment, sequence desc) last
  where state is not null)
"""  # noqa: S608 - a constant
# As `monitors` was at a moment ($6). Index: the primary key of the history.
KNOWN_AT = """
(select m->>'urn' as urn, d.urn as deployment, h.state->>'source' as source, m->>'name' as name, m->>'type' as type,
        m->>'status' as status, m->>'last_execution_status' as last_execution_status,
        (m->>'last_execution_at')::timestamptz as last_execution_at, m as record
   from deployments d
   join lateral (select state from deployment_history o where o.urn = d.urn and o.at <= $6
                  order by o.sequence desc limit 1) h on h.state is not null
  cross join jsonb_array_elements(coalesce(h.state->'monitors', '[]')) m)
"""


class MonitorState(BaseModel):
    """What was told of a monitor beside one of the deployments that it watches."""

    deployment: str
    #: Of the deployment.
    sequence: int
    at: datetime
    #: True where it does not watch the deployment any more.
    removed: bool
    changes: list[Change]


async def page(
    connection: asyncpg.Connection, urn: str, as_of: datetime | None, after: Sequence[Any], limit: int
) -> list[MonitorState]:
    rows = await connection.fetch(PAGE, urn, as_of, *after, limit)
    return [
        MonitorState(
            deployment=row["deployment"],
            sequence=row["sequence"],
            at=row["at"],
            removed=row["state"] is None,
            changes=[] if row["state"] is None else diff(row["before"] or {}, row["state"]),
        )
        for row in rows
    ]
