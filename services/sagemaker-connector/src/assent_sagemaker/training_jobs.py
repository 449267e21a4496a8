"""What each source knows of the training jobs that made its versions: the rows of `job_readings`.

A job is noted with the first version of the source that names it, and read beside the runs. What becomes known of it is
told with its versions, be they kept before or after. A source takes what another one has read, where it can't read the
job itself or nothing of it changes any more.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import asyncpg
import orjson
from assent_common.events.model import Json

from assent_sagemaker.mapping.jobs import Job, Reference

NOTE = """
insert into job_readings (key, arn, source, due_at)
select key, arn, source, $1 from unnest($2::text[], $3::text[], $4::text[]) as o(key, arn, source) order by key, source
on conflict (key, source) do nothing
"""
# Locked until the versions that name them are kept: who keeps what was read of a job waits for that, and finds them.
KNOWN = """
select key, document, reason from job_readings where key = any($1::text[]) and source = $2 order by key for share
"""
# The best that others know of each: what was read before what could not be.
OTHERS = """
select distinct on (key) key, source, document, reason, due_at is null as is_settled from job_readings
 where key = any($1::text[]) and source <> $2 and (document is not null or reason is not null)
 order by key, (document is null), (due_at is not null), source
"""
# They come due again if who takes them does not come back. Index: job_readings_due.
TAKE_DUE = """
update job_readings j set due_at = $3
  from (select key, source from job_readings where source = any($1::text[]) and due_at <= $2
         order by due_at limit $4 for update skip locked) due
 where j.key = due.key and j.source = due.source
returning j.key, j.arn, j.source, j.attempts
"""
KEEP = """
update job_readings j
   set document = coalesce(o.document::json, j.document), reason = o.reason,
       attempts = case when $6 then o.attempts else j.attempts end,
       due_at = case when $6 then o.due_at else j.due_at end
  from unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::timestamptz[])
       as o(key, document, reason, attempts, due_at)
 where j.key = o.key and j.source = $7
"""
# Of those who can't read it themselves.
WAKE = """
update job_readings set due_at = $3
 where key = any($1::text[]) and source <> $2 and document is null and due_at > $3
"""
# Another one has read it while this one was about to wait for that.
CATCH_UP = """
update job_readings r set due_at = $3
 where key = any($1::text[]) and source = $2 and document is null
   and exists (select from job_readings o where o.key = r.key and o.source <> r.source and o.document is not null)
"""
# One that has ended is known for good.
HASTEN = "update job_readings set due_at = $3 where key = any($1::text[]) and source = $2 and due_at > $3"
# Index: records_training_job.
MADE_BY = "select key from records where training_job = any($1::text[]) and source = $2 and live order by key"


class Wanted(NamedTuple):
    """A job, and the source that is to read it."""

    key: str
    arn: str
    source: str


@dataclass(frozen=True, slots=True)
class Due:
    """A job that is to be read."""

    key: str
    arn: str
    source: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Kept:
    """What an attempt at one came to."""

    key: str
    document: Json
    reason: str | None
    attempts: int
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class Other:
    """What another source knows of a job."""

    source: str
    document: Json
    reason: str | None
    #: Whether it will not be read again.
    is_settled: bool


async def noted(
    connection: asyncpg.Connection, source: str, references: Collection[Reference], now: datetime
) -> dict[str, Job]:
    """What is known of each, by key; those that are new are due at once."""
    by_key = {reference.key: str(reference.arn) for reference in references}
    if not by_key:
        return {}
    await note(connection, [Wanted(key, arn, source) for key, arn in by_key.items()], now)
    rows = await connection.fetch(KNOWN, list(by_key), source)
    return {row["key"]: Job.known(row["document"], row["reason"]) for row in rows}


async def note(connection: asyncpg.Connection, wanted: Collection[Wanted], now: datetime) -> None:
    """To be read, unless they are noted already."""
    await connection.execute(
        NOTE,
        now,
        *([one[column] for one in wanted] for column in range(3)),
    )


async def others(connection: asyncpg.Connection, source: str, keys: Collection[str]) -> dict[str, Other]:
    """Of these, what other sources know, by key."""
    rows = await connection.fetch(OTHERS, list(keys), source)
    return {row["key"]: Other(row["source"], row["document"], row["reason"], row["is_settled"]) for row in rows}


async def take_due(
    connection: asyncpg.Connection, sources: Collection[str], now: datetime, *, again_at: datetime, limit: int
) -> list[Due]:
    """Jobs of these sources that are due, the longest due first. They are given once until `again_at`."""
    return [Due(**row) for row in await connection.fetch(TAKE_DUE, list(sources), now, again_at, limit)]


async def keep(connection: asyncpg.Connection, source: str, kept: Sequence[Kept], *, settled: bool) -> None:
    """The document last read stands where it can't be read again. Unless it is `settled`, it stays due."""
    await connection.execute(
        KEEP,
        [one.key for one in kept],
        [orjson.dumps(one.document).decode() if one.document is not None else None for one in kept],
        [one.reason for one in kept],
        [one.attempts for one in kept],
        [one.due_at for one in kept],
        settled,
        source,
    )


async def await_reading(connection: asyncpg.Connection, source: str, wanted: Collection[Wanted], now: datetime) -> None:
    """Have others read these for this source, which is settled already: it is woken when they have, be it before."""
    await note(connection, wanted, now)
    await connection.execute(CATCH_UP, [one.key for one in wanted], source, now)


async def wake(connection: asyncpg.Connection, source: str, kept: Sequence[Kept], now: datetime) -> None:
    """Those sources that wait for what this one has read of these."""
    read = [one.key for one in kept if one.document is not None]
    await connection.execute(WAKE, read, source, now)


async def hasten(connection: asyncpg.Connection, source: str, jobs: Collection[str], now: datetime) -> None:
    """Read these again at once, as far as a version names them and they had not ended."""
    await connection.execute(HASTEN, list(jobs), source, now)


async def made_by(connection: asyncpg.Connection, source: str, jobs: Collection[str]) -> list[str]:
    """The keys of the live versions that these jobs made."""
    return [row["key"] for row in await connection.fetch(MADE_BY, list(jobs), source)]
