"""How the reading of each source stands: the rows of `sources`."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import asyncpg
import orjson
from assent_common.events.model import Json
from assent_common.events.registry import Kind

from assent_sagemaker.aws.traffic import Traffic

ENSURE = "insert into sources (name) select unnest($1::text[]) on conflict do nothing"
GET = "select * from sources where name = $1"
ALL = "select * from sources where name = any($1::text[])"
FAILING = "select name from sources where last_error is not null"
LOCK = "select from sources where name = $1 for update"
SYNCED = """
update sources
   set plan = coalesce($3, plan), plan_reason = coalesce($4, plan_reason), notes = $5::jsonb,
       watermark_at = case when $6 > watermark or watermark is null then $2 else watermark_at end,
       watermark = greatest(watermark, $6),
       seen_until = greatest(seen_until, $9::timestamptz), traffic = $10::jsonb,
       last_synced_at = $2, last_full_at = case when $7 then $2 else last_full_at end,
       last_error = case when $9::timestamptz is null then last_error end,
       last_error_at = case when $9::timestamptz is null then last_error_at end, sequence = sequence + $8::int
 where name = $1
returning sequence
"""
FAILED = """
with before as (select last_error from sources where name = $1)
update sources set last_error = $3, last_error_at = $2, traffic = $4::jsonb where name = $1
returning (select last_error is not distinct from $3 from before) as again
"""
GROW = "update sources set sequence = sequence + 1 where name = $1 returning sequence"
DUE = """
select s.name, s.read_as, s.full_due_at, s.next_poll_at, s.seen_until,
       exists (select from sync_runs u where u.source = s.name and u.status = 'running') as is_interrupted
  from sources s where s.name = any($1::text[])
"""
BEGIN = """
update sources set read_as = $2, full_due_at = null where name = $1 and read_as is distinct from $2
"""
NEXT = "update sources set next_poll_at = $2, full_due_at = $3 where name = $1"
ROUNDS = "select rounds from sources where name = $1"
KEEP_ROUNDS = "update sources set rounds = $2::jsonb where name = $1"
ACCOUNTS = "select name, account from sources where account is not null"
READS_ACCOUNT = "update sources set account = $2 where name = $1 and account is distinct from $2"
# What two listings have lacked is gone, unless it was too much at once. Index: records_missing.
WAITING = """
select source, count(*) as objects, min(missing_since) as since
  from records where live and missed_listings > 1 and source = any($1::text[]) group by source
"""
# Index: records_source.
COUNTS = "select source, kind, count(*) as live from records where live and source = any($1::text[]) group by 1, 2"


@dataclass(frozen=True, slots=True)
class SourceState:
    name: str
    plan: str | None
    plan_reason: str | None
    notes: Sequence[str]
    watermark: datetime | None
    watermark_at: datetime | None
    last_synced_at: datetime | None
    last_full_at: datetime | None
    last_error: str | None
    last_error_at: datetime | None
    next_poll_at: datetime | None
    sequence: int
    #: Of the last reading, as of `aws.traffic`.
    traffic: Mapping[str, Mapping[str, float]]
    #: When the last reading began that got to its end: what changed before, it has seen.
    seen_until: datetime | None
    #: When it is to be read whole again; None: now.
    full_due_at: datetime | None
    #: By which settings and release it is read.
    read_as: str | None
    #: The AWS account that it reads, as far as that is known.
    account: str | None
    #: As of `sync.rounds`.
    rounds: Mapping[str, Json]

    @classmethod
    def of(cls, row: asyncpg.Record) -> "SourceState":
        return cls(**{name: row[name] for name in cls.__slots__})


@dataclass(frozen=True, slots=True)
class Due:
    """When a source that was just taken over is to be read: the columns of its statement."""

    read_as: str | None
    full_due_at: datetime | None
    next_poll_at: datetime | None
    seen_until: datetime | None
    #: Whether who held it before ended in the middle of a reading.
    is_interrupted: bool


class Waiting(NamedTuple):
    objects: int
    #: Since when the listings lack the first of them.
    since: datetime


async def ensure(connection: asyncpg.Connection, names: Collection[str]) -> None:
    await connection.execute(ENSURE, list(names))


async def get(connection: asyncpg.Connection, name: str) -> SourceState:
    row = await connection.fetchrow(GET, name)
    assert row is not None, name
    return SourceState.of(row)


async def all_of(connection: asyncpg.Connection, names: Sequence[str]) -> dict[str, SourceState]:
    return {row["name"]: SourceState.of(row) for row in await connection.fetch(ALL, list(names))}


async def failing(connection: asyncpg.Connection) -> set[str]:
    return {row["name"] for row in await connection.fetch(FAILING)}


async def lock(connection: asyncpg.Connection, name: str) -> None:
    """So that two who ask for a sync at once ask for the same one."""
    await ensure(connection, [name])
    await connection.execute(LOCK, name)


async def synced(
    connection: asyncpg.Connection,
    name: str,
    at: datetime,
    *,
    full: bool,
    plan: str | None,
    plan_reason: str | None,
    notes: Sequence[str],
    watermark: datetime | None,
    seen_until: datetime | None,
    traffic: Traffic,
    grow: bool,
) -> int:
    """Read to its end. The sequence of its events, grown by one if there is to be one more.

    Without `seen_until` nothing was seen: it is as old as it was, and what failed before is not mended by it.
    """
    sequence: int = await connection.fetchval(
        SYNCED,
        *(name, at, plan, plan_reason, orjson.dumps(list(notes)).decode(), watermark, full, int(grow)),
        *(seen_until, traffic.written()),
    )
    return sequence


async def grow(connection: asyncpg.Connection, name: str) -> int:
    """The sequence of one more event of its `sync.completed`."""
    sequence: int = await connection.fetchval(GROW, name)
    return sequence


async def failed(connection: asyncpg.Connection, name: str, at: datetime, error: str, traffic: Traffic) -> bool:
    """Whether it failed for the same reason the last time."""
    again: bool = await connection.fetchval(FAILED, name, at, error, traffic.written())
    return again


async def due(connection: asyncpg.Connection, names: Collection[str]) -> dict[str, Due]:
    return {row["name"]: Due(*row[1:]) for row in await connection.fetch(DUE, list(names))}


async def begin(connection: asyncpg.Connection, name: str, read_as: str) -> None:
    """Read it by these settings. By others than before, it is to be read whole."""
    await connection.execute(BEGIN, name, read_as)


async def next_(
    connection: asyncpg.Connection, name: str, *, poll_at: datetime | None, full_at: datetime | None
) -> None:
    """When it is polled, and when it is read whole the next time, whoever holds it by then."""
    await connection.execute(NEXT, name, poll_at, full_at)


async def rounds(connection: asyncpg.Connection, name: str) -> Mapping[str, Json]:
    kept: Mapping[str, Json] = await connection.fetchval(ROUNDS, name)
    return kept


async def keep_rounds(connection: asyncpg.Connection, name: str, rounds: str) -> None:
    await connection.execute(KEEP_ROUNDS, name, rounds)


async def reads_account(connection: asyncpg.Connection, name: str, account: str) -> None:
    await connection.execute(READS_ACCOUNT, name, account)


async def accounts(connection: asyncpg.Connection) -> dict[str, str]:
    """Source → the account that it reads, as far as that is known."""
    return {row["name"]: row["account"] for row in await connection.fetch(ACCOUNTS)}


async def waiting(connection: asyncpg.Connection, names: Sequence[str]) -> Mapping[str, Waiting]:
    """What seems deleted and waits for a person to say so; of sources without such nothing."""
    rows = await connection.fetch(WAITING, list(names))
    return {row["source"]: Waiting(row["objects"], row["since"]) for row in rows}


async def counts(connection: asyncpg.Connection, names: Sequence[str]) -> Mapping[str, Mapping[Kind, int]]:
    """Source → kind → how many are live."""
    found = {name: dict.fromkeys(Kind, 0) for name in names}
    for row in await connection.fetch(COUNTS, list(names)):
        found[row["source"]][Kind(row["kind"])] = row["live"]
    return found
