"""Timers as rows, written in the transaction of what they wait for.

A candidacy's row lock guards its timers and those of its tasks: who writes them holds it, who fires them takes it.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from assent_common import ids

from assent_workflow.timers.model import Timer

# Index: the primary key.
CANCEL = """
delete from timers t
 where t.subject = any($1::uuid[])
   and (t.fired_at is null or not $4)
   and not exists (select from unnest($2::uuid[], $3::text[]) as w(subject, kind)
                    where (w.subject, w.kind) = (t.subject, t.kind))
"""
# One that fired stays fired, unless it waits for another time now.
WRITE = """
insert into timers as t (id, subject, kind, candidacy, role, due_at, fire_at, step)
select id, subject, kind, $3, role, due_at, due_at, $7
  from unnest($1::uuid[], $2::uuid[], $4::text[], $5::text[], $6::timestamptz[]) as e(id, subject, kind, role, due_at)
on conflict (subject, kind) do update
   set id = excluded.id, role = excluded.role, due_at = excluded.due_at, fire_at = excluded.due_at, fired_at = null,
       failures = 0, failure = null
 where (t.due_at, t.role) is distinct from (excluded.due_at, excluded.role)
"""
# What is due, oldest first; whatever somebody else is about is skipped, so that nobody waits for anybody and any number
# of workers share. As everywhere the version is held, and with it what is known of it. Index: timers_waiting.
CLAIM = """
select t.* from timers t
  join candidacies c on c.id = t.candidacy
  join model_versions v on v.urn = c.model_version
 where t.fired_at is null and t.candidacy is not null and not t.step
   and t.fire_at <= coalesce($1::timestamptz, now()) and ($2::uuid is null or t.id = $2)
 order by t.fire_at limit $3
   for update of t, c skip locked for share of v skip locked
"""
# Those of steps. Who accepts one ends others: the use case's row guards them all. Index: timers_steps.
CLAIM_STEPS = """
select t.* from timers t
  join candidacies c on c.id = t.candidacy
  join use_cases u on u.id = c.use_case_id
 where t.fired_at is null and t.candidacy is not null and t.fire_at <= coalesce($1::timestamptz, now())
   and t.step and ($2::uuid is null or t.id = $2)
 order by t.fire_at limit $3
   for update of t, c, u skip locked
"""
FIRED = "update timers set fired_at = $2 where id = any($1::uuid[])"
PUT_OFF = """
update timers
   set fire_at = now() + least(interval '1 hour', interval '15 seconds' * power(2, least(failures, 10))),
       failures = failures + 1, failure = left($2, 1000)
 where id = $1 and fired_at is null
"""
# Index: timers_waiting, its first entry.
NEXT = "select extract(epoch from min(fire_at) - now())::float8 from timers where fired_at is null"


async def keep(
    connection: asyncpg.Connection,
    subjects: Collection[UUID],
    timers: Iterable[Timer],
    *,
    candidacy: UUID | None,
    step: bool = False,
    fired: bool = False,
) -> None:
    """Let these timers, and no others, stand for these subjects; and with `fired` those that have fired."""
    wanted = list(timers)
    await connection.execute(
        *(CANCEL, list(subjects), [timer.subject for timer in wanted], [timer.kind.value for timer in wanted], fired),
    )
    if wanted:
        await connection.execute(
            WRITE,
            *([ids.new() for _ in wanted], [timer.subject for timer in wanted], candidacy),
            *([timer.kind.value for timer in wanted], [timer.role for timer in wanted]),
            *([timer.due_at for timer in wanted], step),
        )


async def claim(
    connection: asyncpg.Connection, *, at: datetime | None, most: int, only: UUID | None = None
) -> list[asyncpg.Record]:
    """What is due by the database's clock, or by the moment given, held until the end of the transaction."""
    of_candidacies = await connection.fetch(CLAIM, at, only, most)
    return [*of_candidacies, *await connection.fetch(CLAIM_STEPS, at, only, most)]


async def fired(connection: asyncpg.Connection, ids_: Collection[UUID], *, at: datetime) -> None:
    await connection.execute(FIRED, list(ids_), at)


async def put_off(connection: asyncpg.Connection, id_: UUID, why: str) -> None:
    """Try again later, at growing intervals: one that cannot be fired must not keep others from it."""
    await connection.execute(PUT_OFF, id_, why)


async def next_in_s(connection: asyncpg.Connection) -> float | None:
    """How long until the next is due, by the database's clock."""
    seconds: Any = await connection.fetchval(NEXT)
    return None if seconds is None else float(seconds)
