"""What SageMaker's lineage says of the versions whose training job nothing else tells: the rows of `lineages`.

A version is asked about once, and again only when it holds another artifact. That lineage knows nothing is an answer.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

import asyncpg
from assent_common import canonical

from assent_sagemaker.mapping.documents import ModelPackage
from assent_sagemaker.mapping.jobs import Lineage

SETTLES = timedelta(minutes=5)
"""So long SageMaker may take to note a new package in its lineage, which it does beside its registering."""

KNOWN = "select key, source, question, job, reason from lineages where key = any($1::text[])"
# Another owner may read what the one before could not; what was answered stands.
NOTE = """
insert into lineages as l (key, urn, source, question, due_at)
select key, urn, $1, question, due_at
  from unnest($2::text[], $3::text[], $4::text[], $5::timestamptz[]) as o(key, urn, question, due_at)
 order by key
on conflict (key) do update
   set source = excluded.source, question = excluded.question,
       job = case when l.question = excluded.question then l.job end,
       reason = case when l.question = excluded.question then l.reason end,
       attempts = case when l.question = excluded.question then l.attempts else 0 end,
       due_at = case when l.question = excluded.question then l.due_at else excluded.due_at end
"""
# They come due again if who takes them does not come back. Index: lineages_due.
TAKE_DUE = """
update lineages l set due_at = $3
  from (select key from lineages where source = any($1::text[]) and due_at <= $2
         order by due_at limit $4 for update skip locked) due
 where l.key = due.key
returning l.key, l.urn, l.source, l.question, l.reason, l.attempts
"""
KEEP = """
update lineages l
   set job = o.job, reason = o.reason, attempts = case when $7 then o.attempts else l.attempts end,
       due_at = case when $7 then o.due_at else l.due_at end
  from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[], $6::timestamptz[])
       as o(key, question, job, reason, attempts, due_at)
 where l.key = o.key and l.question = o.question
"""


class Question(NamedTuple):
    key: str
    package: ModelPackage

    @property
    def digest(self) -> str:
        """Of what the answer hangs on. What is registered anew under its name is another thing."""
        addresses = [container.address for container in self.package.containers]
        return canonical.digest([self.package.creation_time.isoformat(), addresses])

    def due_at(self, now: datetime) -> datetime:
        return min(max(now, self.package.creation_time + SETTLES), now + SETTLES)


@dataclass(frozen=True, slots=True)
class Due:
    """A version that is to be asked about."""

    key: str
    urn: str
    source: str
    question: str
    #: Why it could not be told the last time.
    reason: str | None
    attempts: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What asking came to. Without a `due_at` it is not asked again."""

    of: Due
    job: str | None
    reason: str | None
    attempts: int
    due_at: datetime | None

    @property
    def tells(self) -> bool:
        """Whether the version is told otherwise with it."""
        return (self.job, self.reason) != (None, self.of.reason)


async def noted(
    connection: asyncpg.Connection, source: str, questions: Collection[Question], now: datetime
) -> dict[str, Lineage]:
    """What is known of each, by key; those that are new, or hold another artifact than before, become due."""
    if not questions:
        return {}
    rows = {row["key"]: row for row in await connection.fetch(KNOWN, [one.key for one in questions])}
    known = {}
    new = []
    for one in questions:
        row = rows.get(one.key)
        is_answered = row is not None and row["question"] == one.digest
        known[one.key] = Lineage(row["job"], row["reason"]) if row is not None and is_answered else Lineage()
        if row is None or not is_answered or row["source"] != source:
            new.append(one)
    if new:
        await connection.execute(
            NOTE,
            source,
            [one.key for one in new],
            [one.package.model_package_arn for one in new],
            [one.digest for one in new],
            [one.due_at(now) for one in new],
        )
    return known


async def take_due(
    connection: asyncpg.Connection, sources: Collection[str], now: datetime, *, again_at: datetime, limit: int
) -> list[Due]:
    """Versions of these sources that are due, the longest due first. They are given once until `again_at`."""
    return [Due(**row) for row in await connection.fetch(TAKE_DUE, list(sources), now, again_at, limit)]


async def keep(connection: asyncpg.Connection, answers: Sequence[Answer], *, settled: bool) -> None:
    """Unless it is `settled`, the version stays due. An answer to what nobody asks any more is dropped."""
    await connection.execute(
        KEEP,
        [one.of.key for one in answers],
        [one.of.question for one in answers],
        [one.job for one in answers],
        [one.reason for one in answers],
        [one.attempts for one in answers],
        [one.due_at for one in answers],
        settled,
    )
