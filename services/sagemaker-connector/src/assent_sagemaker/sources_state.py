"""How the reading of each source stands: the rows of `sources`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg
import orjson
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
       seen_until = greatest(seen_until, $9), traffic = $10::jsonb,
       last_synced_at = $2, last_full_at = case when $7 then $2 else last_full_at end,
       last_error = null, last_error_at = null, sequence = sequence + $8::int
 where name = $1
returning sequence
"""
FAILED = """
with before as (select last_error from sources where name = $1)
update sources set last_error = $3, last_error_at = $2, traffic = $4::jsonb where name = $1
returning (select last_error is not distinct from $3 from before) as again
"""
NEXT_POLL = "update sources set next_poll_at = $2 where name = $1"
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


async def ensure(connection: asyncpg.Connection, names: Sequence[str]) -> None:
    await connection.execute(ENSURE, list(names))


async def get(connection: asyncpg.Connection, name: str) -> SourceState:
    row = await connection.fetchrow(GET, name)
    assert row is not None, name
    return SourceState(**row)


async def all_of(connection: asyncpg.Connection, names: Sequence[str]) -> dict[str, SourceState]:
    return {row["name"]: SourceState(**row) for row in await connection.fetch(ALL, list(names))}


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
    seen_until: datetime,
    traffic: Traffic,
    grow: bool,
) -> int:
    """Read to its end. The sequence of its events, grown by one if there is to be one more."""
    sequence: int = await connection.fetchval(
        SYNCED,
        *(name, at, plan, plan_reason, orjson.dumps(list(notes)).decode(), watermark, full, int(grow)),
        *(seen_until, traffic.written()),
    )
    return sequence


async def failed(connection: asyncpg.Connection, name: str, at: datetime, error: str, traffic: Traffic) -> bool:
    """Whether it failed for the same reason the last time."""
    again: bool = await connection.fetchval(FAILED, name, at, error, traffic.written())
    return again


async def next_poll(connection: asyncpg.Connection, name: str, at: datetime) -> None:
    await connection.execute(NEXT_POLL, name, at)


async def counts(connection: asyncpg.Connection, names: Sequence[str]) -> Mapping[str, Mapping[Kind, int]]:
    """Source → kind → how many are live."""
    found = {name: dict.fromkeys(Kind, 0) for name in names}
    for row in await connection.fetch(COUNTS, list(names)):
        found[row["source"]][Kind(row["kind"])] = row["live"]
    return found
