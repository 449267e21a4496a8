"""External checks as rows: what is to be asked, and what was answered, for good."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from assent_common import ids

from assent_workflow.external.model import Answer
from assent_workflow.outgoing.places import Room
from assent_workflow.policies.model import Policy
from assent_workflow.reviews.round import Review

#: How long after a failure it is asked again, in seconds; the last of them for as long as the review is open.
RETRIES_S = (5, 30, 120, 600, 3600)
#: How long one attempt holds its row: another may ask after that, for whoever held it is dead.
HELD_S = 60

# Index: external_checks_review_name_content_hash_key, both.
ANSWERS = """
select name, passed, reason, evidence, digest, answered_at, last_error from external_checks
 where review = $1 and content_hash = $2
"""
ASK = """
insert into external_checks (id, review, candidacy, name, url, timeout_s, content_hash, asked_at, next_try_at)
select id, $2, $3, name, url, timeout_s, $7, $8, now()
  from unnest($1::uuid[], $4::text[], $5::text[], $6::float8[]) as e(id, name, url, timeout_s)
on conflict (review, name, content_hash) do nothing
"""
# What a round that ended, or moved on, does not wait for any more is not asked. First of those who have the fewest
# questions before them. Index: external_checks_waiting.
CLAIM = """
with due as (
    select w.id, coalesce(u.under_way, 0) + row_number() over (partition by w.url order by w.next_try_at) as nth
      from external_checks w join reviews o on o.id = w.review
      left join unnest($3::text[], $4::int[]) as u(url, under_way) on u.url = w.url
     where w.answered_at is null and w.next_try_at <= now() and o.status = 'open' and o.content_hash = w.content_hash
       and (w.url = any($5::text[])) = $6
)
update external_checks e
   set attempts = e.attempts + 1, next_try_at = now() + make_interval(secs => $2)
  from reviews r join candidacies c on c.id = r.candidacy
 where r.id = e.review
   and e.id in (select w.id from external_checks w join due using (id)
                 where w.answered_at is null and w.next_try_at <= now() and due.nth <= $7
                 order by due.nth, w.next_try_at limit $1 for update of w skip locked)
returning e.*, r.policy, r.content, c.use_case, c.model_version, c.step_to, now() as now
"""
# Only by the attempt that it was claimed for.
ANSWERED = """
update external_checks
   set passed = $3, reason = $4, evidence = $5::jsonb, digest = $6, answered_at = $7, last_status = 200,
       last_error = null
 where id = $1 and attempts = $2 and answered_at is null
"""
FAILED = """
update external_checks
   set last_status = $3, last_error = $4, next_try_at = now() + make_interval(secs => $5)
 where id = $1 and attempts = $2 and answered_at is null
"""

LOCK = "select * from external_checks where review = $1 and name = $2 order by id for update"
# What was not answered is the same question, only sooner.
ASK_ANEW = """
update external_checks
   set id = $2, attempts = case when answered_at is null then attempts else 0 end, next_try_at = now(), passed = null,
       reason = null, evidence = null, digest = null, answered_at = null, last_status = null, last_error = null
 where id = $1
"""


async def answers(connection: asyncpg.Connection, review: UUID | None, content_hash: str) -> dict[str, Answer]:
    """By the names of checks; those that were not asked yet are not there."""
    if review is None:
        return {}
    rows = await connection.fetch(ANSWERS, review, content_hash)
    return {row["name"]: _answer(row) for row in rows}


async def ask(connection: asyncpg.Connection, policy: Policy, review: Review, at: Any) -> None:
    """Once for each content of a review; in the transaction that pins it."""
    external = [(check.name, check.external) for check in policy.checks if check.external is not None]
    if not external:
        return
    await connection.execute(
        *(ASK, [ids.new() for _ in external], review.id, review.candidacy, [name for name, _ in external]),
        *([asked.url for _, asked in external], [asked.timeout.total_seconds() for _, asked in external]),
        *(review.content_hash, at),
    )


async def claim(connection: asyncpg.Connection, room: Room) -> list[Mapping[str, Any]]:
    """What is due, held for a minute: whoever dies over one leaves it to another. `now` is the database's."""
    under_way = (list(room.under_way), list(room.under_way.values()))
    values = (room.most, HELD_S, *under_way, list(room.slow), room.aside, room.each)
    return list(await connection.fetch(CLAIM, *values))


async def answered(connection: asyncpg.Connection, row: Mapping[str, Any], answer: Answer) -> bool:
    """False where another attempt has answered meanwhile."""
    status = await connection.execute(
        *(ANSWERED, row["id"], row["attempts"], answer.passed, answer.reason),
        *(orjson.dumps(answer.evidence).decode(), answer.digest, answer.answered_at),
    )
    return str(status).endswith(" 1")


async def failed(connection: asyncpg.Connection, row: Mapping[str, Any], status: int | None, why: str) -> None:
    wait_s = RETRIES_S[min(row["attempts"], len(RETRIES_S)) - 1]
    await connection.execute(FAILED, row["id"], row["attempts"], status, why, wait_s)


async def lock(connection: asyncpg.Connection, review: UUID, name: str) -> dict[str, Mapping[str, Any]]:
    """By the content that was asked about. For who holds the candidacy, as who takes an answer does before."""
    return {row["content_hash"]: row for row in await connection.fetch(LOCK, review, name)}


async def ask_anew(connection: asyncpg.Connection, row: Mapping[str, Any]) -> None:
    """Due at once. Under a new id where it was answered, so that the other side looks again."""
    await connection.execute(ASK_ANEW, row["id"], ids.new() if row["answered_at"] is not None else row["id"])


def _answer(row: Mapping[str, Any]) -> Answer:
    if row["answered_at"] is None:
        return Answer(None, row["last_error"] or "it is being asked")
    return Answer(row["passed"], row["reason"], row["evidence"], row["digest"], row["answered_at"])
