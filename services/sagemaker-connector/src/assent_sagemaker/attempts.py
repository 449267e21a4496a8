"""What is to be written back, and how far that is: the rows of `write_backs`, taken up by whoever holds the source."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import asyncpg

from assent_sagemaker.drift import Approval

# What nobody wants any more, but may have been written by a writer that was cut off, is read once more.
# What waits longer than anything pending may was put off by a clock that was early.
# Indexes: write_backs_due, approvals_writing.
DUE = """
with due as (
    select w.*, r.source, row_number() over (partition by r.source order by w.next_attempt_at) as place
      from write_backs w join records r on r.key = w.key
     where w.state in ('pending', 'failed') and r.live and r.source = any($1::text[])
       and (w.next_attempt_at <= $2 or w.state = 'pending' and w.next_attempt_at > $2 + $4::interval)
     union all
    select w.*, r.source, 1
      from approvals a join write_backs w on w.key = a.key join records r on r.key = a.key
     where a.writing is not null and w.state = 'void' and w.next_attempt_at <= $2 and r.live
       and r.source = any($1::text[])
)
select * from due where place <= $3 order by next_attempt_at limit 1000
"""
# Indexes: approvals_due, approvals_writing, write_backs_due.
ANYTHING_DUE = """
select exists (select from approvals where due) or exists (select from approvals where writing is not null)
    or exists (select from write_backs
                where state in ('pending', 'failed')
                  and (next_attempt_at <= $1 or state = 'pending' and next_attempt_at > $1 + $2::interval))
"""
PENDING = """
select distinct r.source from write_backs w join records r on r.key = w.key
 where w.state = 'pending' and r.live and r.source = any($1::text[])
"""
ATTEMPT = """
update write_backs w
   set attempts = attempts + 1, next_attempt_at = $3, state = case state when 'failed' then 'pending' else state end
 where key = $1 and revision = $2
returning (select writing from approvals a where a.key = w.key) is not null as cut_off
"""
NOT_YET = "update write_backs set last_error = $3 where key = $1 and revision = $2"
END = """
update write_backs
   set state = $3, last_error = $4, note = $5, settings = $6, finished_at = $7,
       next_attempt_at = coalesce($8, next_attempt_at)
 where key = $1 and revision = $2 and state = 'pending'
returning key
"""
GET = """
select w.*, r.source from write_backs w left join records r on r.key = w.key
 where w.id = $1 or w.key = $2 for update of w
"""
AGAIN = """
update write_backs set state = 'pending', attempts = 0, next_attempt_at = $2 where key = $1
"""
SETTINGS_CHANGED = """
update write_backs w set state = 'pending', attempts = 0, next_attempt_at = $3
  from records r join unnest($1::text[], $2::text[]) as s(source, settings) on s.source = r.source
 where r.key = w.key and w.state = 'failed' and w.settings is distinct from s.settings
"""
LIST = """
select w.*, r.source from write_backs w left join records r on r.key = w.key
 where ($1::text is null or w.state = $1) and ($2::text is null or r.source = $2)
   and ($3::timestamptz is null or (w.requested_at, w.key) < ($3, $4))
 order by w.requested_at desc, w.key desc
 limit $5
"""

FIRST_RETRY = timedelta(seconds=2)
LONGEST_RETRY = timedelta(minutes=15)
AFTER_FAILURE = timedelta(hours=24)
"""What was denied or refused may be allowed by then; nobody has to remember it."""

AT_ONCE = 20
"""Of one source, in one go: decisions meanwhile take their turn after them."""


@dataclass(frozen=True, slots=True)
class WriteBack:
    """One desire on its way to SageMaker."""

    key: str
    #: By which every service knows the version.
    id: UUID | None
    urn: str
    #: Absent where a drift is put back without a decision.
    candidacy: UUID | None
    use_case: str | None
    desired: Approval
    description: str
    #: `assent:status` and `assent:use-cases`; absent without a decision.
    status: str | None
    use_cases: str | None
    content_hash: str | None
    #: Whether it puts a drift back.
    restores: bool
    revision: int
    state: str
    attempts: int
    next_attempt_at: datetime
    last_error: str | None
    note: str | None
    requested_at: datetime
    finished_at: datetime | None
    correlation_id: str
    traceparent: str | None
    source: str | None

    @classmethod
    def of(cls, row: asyncpg.Record) -> "WriteBack":
        return cls(**{name: row[name] for name in cls.__slots__})


class Begun(NamedTuple):
    #: Whether something may have been written by an attempt that was cut off.
    cut_off: bool


async def is_anything_due(connection: asyncpg.Connection, now: datetime) -> bool:
    """In whichever source: the question that costs next to nothing, asked before the others."""
    anything: bool = await connection.fetchval(ANYTHING_DUE, now, LONGEST_RETRY)
    return anything


async def due(connection: asyncpg.Connection, sources: Collection[str], now: datetime) -> list[WriteBack]:
    """What is to be tried now, of versions that these sources have: some of each."""
    return [WriteBack.of(row) for row in await connection.fetch(DUE, list(sources), now, AT_ONCE, LONGEST_RETRY)]


async def pending(connection: asyncpg.Connection, sources: Collection[str]) -> set[str]:
    """Which of these sources wait for something to be written."""
    return {row["source"] for row in await connection.fetch(PENDING, list(sources))}


async def begin(connection: asyncpg.Connection, write_back: WriteBack, now: datetime) -> Begun | None:
    """Noted before anything is done, so that what brings the process down is not tried at once again.

    None if something else is wanted by now.
    """
    again_at = now + min(FIRST_RETRY * (1 << min(write_back.attempts, 16)), LONGEST_RETRY)
    row = await connection.fetchrow(ATTEMPT, write_back.key, write_back.revision, again_at)
    return Begun(row["cut_off"]) if row else None


async def not_yet(connection: asyncpg.Connection, write_back: WriteBack, why: str) -> None:
    await connection.execute(NOT_YET, write_back.key, write_back.revision, why)


async def done(connection: asyncpg.Connection, write_back: WriteBack, now: datetime, *, note: str | None) -> bool:
    """False if something else is wanted by now."""
    row = (write_back.key, write_back.revision, "done", None, note, None, now, None)
    return await connection.fetchval(END, *row) is not None


async def failed(
    connection: asyncpg.Connection, write_back: WriteBack, now: datetime, *, error: str, settings: str
) -> None:
    """For good, unless somebody asks, these settings change, or a long time has passed."""
    row = (write_back.key, write_back.revision, "failed", error, None, settings, now, now + AFTER_FAILURE)
    await connection.execute(END, *row)


async def of_gone(connection: asyncpg.Connection, write_back: WriteBack, now: datetime, *, error: str) -> None:
    """There is nothing left to say it of."""
    await connection.execute(END, write_back.key, write_back.revision, "void", error, None, None, now, None)


async def get(connection: asyncpg.Connection, id_or_key: UUID | str) -> WriteBack | None:
    """By the version's id, or by its key; locked."""
    by = (id_or_key, None) if isinstance(id_or_key, UUID) else (None, id_or_key)
    row = await connection.fetchrow(GET, *by)
    return WriteBack.of(row) if row else None


async def retry(connection: asyncpg.Connection, write_back: WriteBack, now: datetime) -> WriteBack:
    await connection.execute(AGAIN, write_back.key, now)
    return replace(write_back, state="pending", attempts=0, next_attempt_at=now)


async def settings_changed(connection: asyncpg.Connection, settings: Mapping[str, str], now: datetime) -> None:
    """What failed by other settings of these sources is tried again."""
    await connection.execute(SETTINGS_CHANGED, list(settings), list(settings.values()), now)


async def newest(
    connection: asyncpg.Connection,
    *,
    state: str | None,
    source: str | None,
    before: tuple[datetime, str] | None,
    limit: int,
) -> list[WriteBack]:
    at, key = before or (None, None)
    return [WriteBack.of(row) for row in await connection.fetch(LIST, state, source, at, key, limit)]
