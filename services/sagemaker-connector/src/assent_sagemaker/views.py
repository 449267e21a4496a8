"""Who sees what another source owns: a group that accounts share is one record, however many sources see it.

The record is its owner's; the others have a view. It is removed when the last of them no longer sees it. The source of
the account that it lies in is its rightful owner.
"""

from collections.abc import Collection, Iterable, Mapping

import asyncpg
from assent_common.events.registry import Kind

# The owner becomes a viewer, unless it reads the very account, too.
CLAIM = """
with lost as (
    select r.key, r.source
      from records r join sources s on s.name = r.source
     where r.key = any($2::text[]) and r.live and r.source <> $1 and s.account is distinct from $3
     order by r.key for update of r
), claimed as (
    update records r set source = $1, missed_listings = 0, missing_since = null from lost where r.key = lost.key
)
insert into views (key, source) select key, source from lost on conflict do nothing
"""
# What a source had that was dropped is anybody's.
OTHERS = """
select r.key from records r
 where r.key = any($2::text[]) and r.live and r.source <> $1
   and not exists (select from source_leases l where l.source = r.source and l.dropped_at is not null)
"""
SEEN = """
insert into views (key, source) select unnest($2::text[]), $1
on conflict (key, source) do update set missed_listings = 0 where views.missed_listings > 0
"""
# Index: views_source.
NEEDLESS = """
delete from views v using records r where v.source = $1 and r.key = v.key and (r.source = $1 or not r.live)
"""
MISSED = """
update views v set missed_listings = v.missed_listings + 1
  from records r
 where v.source = $1 and r.key = v.key and r.kind = any($2::text[])
   and not exists (select from unnest($3::text[]) as l(key) where l.key = v.key)
"""
CLOSE = "delete from views where source = $1"
LOST = "delete from views where source = $1 and missed_listings >= $2"
INHERIT = """
with heirs as (
    select distinct on (key) key, source from views
     where key = any($1::text[]) order by key, missed_listings, source
), passed as (
    update records r set source = h.source, missed_listings = 0, missing_since = null
      from heirs h where r.key = h.key and r.live
    returning r.key, r.source
)
delete from views v using passed p where v.key = p.key and v.source = p.source returning v.key, v.source
"""


async def close(connection: asyncpg.Connection, source: str) -> None:
    """The source sees nothing any more."""
    await connection.execute(CLOSE, source)


async def claim(connection: asyncpg.Connection, source: str, account: str, own: Iterable[str]) -> None:
    """What lies in the source's own account is its own, whoever saw it first."""
    await connection.execute(CLAIM, source, list(own), account)


async def see(connection: asyncpg.Connection, source: str, listed: Iterable[str]) -> set[str]:
    """The source sees these. The keys of those that others own."""
    others = [row["key"] for row in await connection.fetch(OTHERS, source, list(listed))]
    await connection.execute(SEEN, source, others)
    await connection.execute(NEEDLESS, source)
    return set(others)


async def count_listing(
    connection: asyncpg.Connection, source: str, kinds: Collection[Kind], listed: Iterable[str], *, listings: int
) -> None:
    """A view is gone when so many complete listings in a row have lacked it."""
    await connection.execute(MISSED, source, [kind.value for kind in kinds], list(listed))
    await connection.execute(LOST, source, listings)


async def pass_on(connection: asyncpg.Connection, keys: Iterable[str]) -> Mapping[str, str]:
    """Records that their owner has lost, to those who still see them. Key → its new owner."""
    return {row["key"]: row["source"] for row in await connection.fetch(INHERIT, list(keys))}
