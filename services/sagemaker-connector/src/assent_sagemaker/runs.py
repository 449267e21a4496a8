"""Sync runs: asked for, under way, done; with what they have got through so far."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal
from uuid import UUID

import asyncpg
import orjson
from assent_common.events.model import Json

from assent_sagemaker.aws.traffic import Traffic

Mode = Literal["full", "incremental"]


class Cause(StrEnum):
    START = "start"
    RECONCILE = "reconcile"
    POLL = "poll"
    #: An event said that something changed.
    EVENT = "event"
    #: Somebody asked for it.
    REQUEST = "request"


class Status(StrEnum):
    REQUESTED = "requested"
    #: Also while the process that ran it has ended, and no other has taken it up yet.
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


INSERT = """
insert into sync_runs (id, source, mode, cause, status, requested_by, requested_at, started_at, correlation_id,
                       traceparent)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
on conflict (id) do nothing
"""
# Index: sync_runs_open.
REQUESTED = """
select * from sync_runs
 where source = $1 and status = 'requested' and ($2::text is null or mode = $2)
 order by requested_at limit 1
"""
# What was left in its middle goes on before anything else begins.
OUTSTANDING = """
select * from sync_runs
 where source = $1 and status in ('requested', 'running')
 order by status = 'running' desc, requested_at limit 1
"""
START = "update sync_runs set status = 'running', started_at = coalesce(started_at, $2) where id = $1 returning *"
PROGRESS = """
update sync_runs set plan = $2, phase = $3, counts = $4::jsonb, traffic = $5::jsonb, progress = $6::jsonb where id = $1
"""
FINISH = """
update sync_runs
   set status = $2, finished_at = $3, plan = $4, phase = null, counts = $5::jsonb, traffic = $6::jsonb, error = $7
 where id = $1
"""
PRUNE = """
delete from sync_runs where source = $1 and finished_at < $2::timestamptz - interval '30 days'
"""
GET = "select * from sync_runs where id = $1"
LIST = """
select * from sync_runs
 where ($1::text is null or source = $1) and ($2::text is null or status = $2)
   and ($3::timestamptz is null or (requested_at, id) < ($3, $4))
 order by requested_at desc, id desc
 limit $5
"""


@dataclass(frozen=True, slots=True)
class SyncRun:
    id: UUID
    source: str
    mode: Mode
    cause: Cause
    status: Status
    requested_by: str | None
    requested_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    plan: str | None
    phase: str | None
    counts: Mapping[str, int]
    #: As of `aws.traffic`: `calls`, `throttled` and `rates`.
    traffic: Mapping[str, Mapping[str, float]]
    error: str | None
    correlation_id: str
    traceparent: str | None
    #: As of `sync.progress`: from where it goes on, should its process end before it does.
    progress: Mapping[str, Json] = field(default_factory=dict)

    @property
    def duration_seconds(self) -> float | None:
        """From its beginning to its end, whatever lay in between, be it that no process went on with it. None before
        it has ended."""
        if self.started_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()

    @property
    def has_a_row(self) -> bool:
        """Whether it is kept from its beginning. Of polls, only what is worth it is kept, and then at their end."""
        return self.mode == "full" or self.cause is Cause.REQUEST

    @classmethod
    def of(cls, row: asyncpg.Record) -> "SyncRun":
        return cls(
            **{
                **row,
                "cause": Cause(row["cause"]),
                "status": Status(row["status"]),
            }
        )


async def insert(connection: asyncpg.Connection, run: SyncRun) -> None:
    await connection.execute(
        INSERT,
        *(run.id, run.source, run.mode, run.cause.value, run.status.value, run.requested_by, run.requested_at),
        *(run.started_at, run.correlation_id, run.traceparent),
    )


async def requested(connection: asyncpg.Connection, source: str, mode: Mode | None = None) -> SyncRun | None:
    """What was asked for first, of this mode or of any, and has not begun."""
    row = await connection.fetchrow(REQUESTED, source, mode)
    return SyncRun.of(row) if row else None


async def outstanding(connection: asyncpg.Connection, source: str) -> SyncRun | None:
    """What was begun and not ended, else what was asked for first; for the holder of the source, while it reads
    nothing."""
    row = await connection.fetchrow(OUTSTANDING, source)
    return SyncRun.of(row) if row else None


async def start(connection: asyncpg.Connection, run: SyncRun, at: datetime) -> SyncRun:
    """The run as it is under way from now on. One that was left in its middle keeps the time when it was begun."""
    await insert(connection, run)
    row = await connection.fetchrow(START, run.id, at)
    assert row is not None, run.id
    return SyncRun.of(row)


async def progress(
    connection: asyncpg.Connection,
    id_: UUID,
    plan: str | None,
    phase: str | None,
    counts: Mapping[str, int],
    traffic: Traffic,
    progress: str,
) -> None:
    written = orjson.dumps(dict(counts)).decode()
    await connection.execute(PROGRESS, id_, plan, phase, written, traffic.written(), progress)


async def finish(
    connection: asyncpg.Connection,
    id_: UUID,
    status: Status,
    at: datetime,
    *,
    plan: str | None,
    counts: Mapping[str, int],
    traffic: Traffic,
    error: str | None = None,
) -> None:
    written = orjson.dumps(dict(counts)).decode()
    await connection.execute(FINISH, id_, status.value, at, plan, written, traffic.written(), error)


async def prune(connection: asyncpg.Connection, source: str, now: datetime) -> None:
    await connection.execute(PRUNE, source, now)


async def get(connection: asyncpg.Connection, id_: UUID) -> SyncRun | None:
    row = await connection.fetchrow(GET, id_)
    return SyncRun.of(row) if row else None


async def newest(
    connection: asyncpg.Connection,
    *,
    source: str | None,
    status: Status | None,
    before: tuple[datetime, UUID] | None,
    limit: int,
) -> list[SyncRun]:
    at, id_ = before or (None, None)
    rows = await connection.fetch(LIST, source, status.value if status else None, at, id_, limit)
    return [SyncRun.of(row) for row in rows]
