"""Having the holder of a source look at it at once, whichever process that is: the rows of `wakes`."""

from collections.abc import Collection
from uuid import UUID

import asyncpg

WAKE = "insert into wakes select unnest($1::text[]) on conflict do nothing"
# Indexes: source_leases_holder, sync_runs_open.
WANTED = """
with woken as (
    delete from wakes w using source_leases l where l.source = w.source and l.holder = $1 returning w.source
)
select source from woken
 union
select r.source from sync_runs r join source_leases l on l.source = r.source
 where r.status = 'requested' and l.holder = $1
"""


async def wake(connection: asyncpg.Connection, sources: Collection[str]) -> None:
    """Within a second of the caller's commit, who holds these looks whether there is something to do."""
    await connection.execute(WAKE, list(sources))


async def wanted(connection: asyncpg.Connection, reader: UUID) -> set[str]:
    """Of what this reader holds: what was woken since it looked last, and where a sync was asked for."""
    return {row["source"] for row in await connection.fetch(WANTED, reader)}
