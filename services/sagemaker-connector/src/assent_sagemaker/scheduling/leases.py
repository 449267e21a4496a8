"""Who holds which source: the rows of `readers` and `source_leases`, a statement for any number of them.

A source is held for as long as its holder is heard of: one row a process is renewed, not one a source. What is done
under a lease names its fence in the transaction that writes (`held.py`), so that a holder that was given up for dead
writes nothing once another has taken over.
"""

from collections.abc import Collection, Mapping
from typing import NamedTuple
from uuid import UUID

import asyncpg

# `was_heard`: as of the moment before, for the row is read by the snapshot that the statement began with.
BEAT = """
with beat as (
    insert into readers (id, expires_at) values ($1, now() + make_interval(secs => $2))
    on conflict (id) do update set expires_at = excluded.expires_at
)
select exists (select from readers where id = $1 and expires_at >= now()) as was_heard,
       1 + (select count(*) from readers where id <> $1 and expires_at >= now()) as readers,
       exists (
           select from source_leases l
            where l.source = any($3::text[])
              and not exists (select from readers r where r.id = l.holder and (r.expires_at >= now() or r.id = $1))
       ) as any_free
"""
OPEN = "insert into source_leases (source) select unnest($1::text[]) on conflict do nothing"
# A holder in the middle of a transaction keeps its rows locked: they are for the next time. What is held is not
# dropped, whatever a process that does not know the source said a moment ago.
CLAIM = """
with free as (
    select l.source from source_leases l
     where l.source = any($2::text[])
       and not exists (select from readers r where r.id = l.holder and r.expires_at >= now())
     order by l.source
     limit $3
       for update of l skip locked
)
update source_leases l set holder = $1, fence = l.fence + 1, dropped_at = null, told = null
  from free where l.source = free.source
returning l.source, l.fence
"""
MINE = "select source, fence from source_leases where holder = $1"
RELEASE = "update source_leases set holder = null where source = any($2::text[]) and holder = $1"
LEAVE = """
with released as (update source_leases set holder = null where holder = $1),
     forgotten as (delete from readers where expires_at < now() - interval '1 day')
delete from readers where id = $1
"""


class Beat(NamedTuple):
    #: False if another process may have taken what this one held: it was silent for too long.
    was_heard: bool
    #: How many processes share the sources, this one among them.
    readers: int
    #: Of those that this one may read.
    any_free: bool


async def open_(connection: asyncpg.Connection, sources: Collection[str]) -> None:
    """These sources can be held from now on."""
    await connection.execute(OPEN, list(sources))


async def beat(connection: asyncpg.Connection, reader: UUID, ttl_s: float, among: Collection[str]) -> Beat:
    """Be heard of: what this reader holds, it holds for `ttl_s` more."""
    row = await connection.fetchrow(BEAT, reader, ttl_s, list(among))
    assert row is not None
    return Beat(row["was_heard"], row["readers"], row["any_free"])


async def claim(connection: asyncpg.Connection, reader: UUID, among: Collection[str], limit: int) -> Mapping[str, int]:
    """Take so many of these that nobody holds: source → fence."""
    return {row["source"]: row["fence"] for row in await connection.fetch(CLAIM, reader, list(among), limit)}


async def mine(connection: asyncpg.Connection, reader: UUID) -> Mapping[str, int]:
    return {row["source"]: row["fence"] for row in await connection.fetch(MINE, reader)}


async def release(connection: asyncpg.Connection, reader: UUID, sources: Collection[str]) -> None:
    """Let others have these."""
    await connection.execute(RELEASE, reader, list(sources))


async def leave(connection: asyncpg.Connection, reader: UUID) -> None:
    """Let others have everything, and be counted among them no more."""
    await connection.execute(LEAVE, reader)
