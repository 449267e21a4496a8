"""Hints as rows: one for each object, however many messages name it, until it was looked at."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

import asyncpg

# One more message about an object that is waiting to be looked at costs nothing; about one that is being looked at,
# it means to look again: that is what `told` and `seen` count.
TELL = """
insert into hints as h (source, kind, ref, told, received_at, due_at)
select source, kind, ref, count(*), $4, $4 from unnest($1::text[], $2::text[], $3::text[]) as n(source, kind, ref)
 group by 1, 2, 3 order by 1, 2, 3
on conflict (source, kind, ref) do update
   set told = h.told + excluded.told, attempts = 0, due_at = excluded.due_at, failed_at = null, reason = null
returning source, kind, ref, told
"""
# Index: hints_due.
DUE = """
select source, kind, ref, told, attempts from hints
 where failed_at is null and due_at <= $2 and source = any($1::text[])
 order by due_at limit 500
"""
SEEN = """
delete from hints h using unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) as n(source, kind, ref, told)
 where (h.source, h.kind, h.ref, h.told) = (n.source, n.kind, n.ref, n.told)
"""
NAMED_AGAIN = """
update hints h set seen = n.told from unnest($1::text[], $2::text[], $3::text[], $4::bigint[])
       as n(source, kind, ref, told)
 where (h.source, h.kind, h.ref) = (n.source, n.kind, n.ref)
"""
LATER = """
update hints h set attempts = h.attempts + 1, due_at = n.due_at, reason = $6
  from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::timestamptz[])
       as n(source, kind, ref, told, due_at)
 where (h.source, h.kind, h.ref) = (n.source, n.kind, n.ref) and h.told = n.told
"""
FAIL = """
update hints h set failed_at = $5, reason = $6
  from unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) as n(source, kind, ref, told)
 where (h.source, h.kind, h.ref) = (n.source, n.kind, n.ref) and h.told = n.told
"""
WAITING = """
select count(*)
  from hints h join unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) as n(source, kind, ref, told)
    on (h.source, h.kind, h.ref) = (n.source, n.kind, n.ref)
 where h.seen < n.told and h.failed_at is null
"""
KEEP_UNREADABLE = """
insert into hints (source, kind, ref, told, received_at, due_at, failed_at, reason, body)
values ($1, 'unreadable', $2, 1, $3, $3, $3, $4, $5)
on conflict (source, kind, ref) do update set told = hints.told + 1, failed_at = excluded.failed_at
"""
PRUNE_FAILED = """
delete from hints where failed_at is not null
   and (source, kind, ref) in (select source, kind, ref from hints where failed_at is not null
                                order by failed_at desc offset 1000)
"""
LIST = """
select * from hints
 where ($1::boolean is null or (failed_at is not null) = $1) and ($2::text is null or source = $2)
   and ($3::text is null or (source, kind, ref) > ($3, $4, $5))
 order by source, kind, ref limit $6
"""

FIRST_RETRY = timedelta(seconds=1)


class Pointer(NamedTuple):
    """An object of a source that some event named so often."""

    source: str
    kind: str
    ref: str
    told: int


@dataclass(frozen=True, slots=True)
class Due:
    pointer: Pointer
    attempts: int


async def tell(connection: asyncpg.Connection, hints: Sequence[tuple[str, str, str]], at: datetime) -> list[Pointer]:
    """Each (source, kind, ref), to be looked at now."""
    rows = await connection.fetch(TELL, *map(list, zip(*hints, strict=True)), at)
    return [Pointer(*row) for row in rows]


async def due(connection: asyncpg.Connection, sources: Collection[str], now: datetime) -> list[Due]:
    rows = await connection.fetch(DUE, list(sources), now)
    return [Due(Pointer(row["source"], row["kind"], row["ref"], row["told"]), row["attempts"]) for row in rows]


async def seen(connection: asyncpg.Connection, pointers: Sequence[Pointer]) -> None:
    """They were looked at after so many messages. One that was named again meanwhile stays."""
    if pointers:
        await connection.execute(SEEN, *_columns(pointers))
        await connection.execute(NAMED_AGAIN, *_columns(pointers))


async def later(connection: asyncpg.Connection, due: Sequence[Due], now: datetime, reason: str) -> None:
    if due:
        at = [now + FIRST_RETRY * (1 << min(one.attempts, 8)) for one in due]
        await connection.execute(LATER, *_columns([one.pointer for one in due]), at, reason[:2000])


async def fail(connection: asyncpg.Connection, pointers: Sequence[Pointer], now: datetime, reason: str) -> None:
    """For good, unless it is named again."""
    if pointers:
        await connection.execute(FAIL, *_columns(pointers), now, reason[:2000])
        await connection.execute(PRUNE_FAILED)


async def unreadable(
    connection: asyncpg.Connection, source: str, digest: str, now: datetime, reason: str, body: str
) -> None:
    await connection.execute(KEEP_UNREADABLE, source, digest, now, reason[:2000], body[:4000].replace("\0", ""))
    await connection.execute(PRUNE_FAILED)


async def waiting(connection: asyncpg.Connection, pointers: Sequence[Pointer]) -> int:
    """How many of them were not looked at yet."""
    count: int = await connection.fetchval(WAITING, *_columns(pointers))
    return count


def _columns(pointers: Sequence[Pointer]) -> list[list[object]]:
    return [list(column) for column in zip(*pointers, strict=True)]
