"""A policy tried on what was judged in a time: what it would have decided, beside what was decided."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from assent_workflow.external.model import Answer
from assent_workflow.policies.model import Policy
from assent_workflow.policies.replay import Given, Replayed, replay

# Index: reviews_requested.
ROUNDS = """
select r.id, r.candidacy, r.policy, r.status, r.requested_at, r.ended_at, r.content_hash, r.facts, c.use_case,
       c.model_version
  from reviews r join candidacies c on c.id = r.candidacy
 where r.requested_at >= $1 and r.requested_at < $2
   and ($3::timestamptz is null or (r.requested_at, r.id) > ($3, $4::uuid))
 order by r.requested_at, r.id limit $5
"""
# Index: tasks_review.
GIVEN = """
select review, role, status, asked_group from tasks
 where review = any($1::uuid[]) and status in ('approved', 'rejected', 'changes_requested') order by id
"""
ANSWERS = """
select e.review, e.name, e.passed, e.reason, e.evidence, e.digest, e.answered_at
  from external_checks e join reviews r on r.id = e.review and r.content_hash = e.content_hash
 where e.review = any($1::uuid[]) and e.answered_at is not null
"""


class Judged(NamedTuple):
    row: Mapping[str, Any]
    replayed: Replayed


async def rounds(
    connection: asyncpg.Connection,
    *,
    since: datetime,
    until: datetime,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> tuple[list[Mapping[str, Any]], dict[UUID, list[Given]], dict[UUID, dict[str, Answer]]]:
    """Those asked for in that time, oldest first, with what was said in each: three statements for a page."""
    rows = list(await connection.fetch(ROUNDS, since, until, *(after or (None, None)), limit))
    ids = [row["id"] for row in rows]
    given: dict[UUID, list[Given]] = defaultdict(list)
    for row in await connection.fetch(GIVEN, ids):
        given[row["review"]].append(Given(row["role"], row["status"], row["asked_group"]))
    answers: dict[UUID, dict[str, Answer]] = defaultdict(dict)
    for row in await connection.fetch(ANSWERS, ids):
        members = ("passed", "reason", "evidence", "digest", "answered_at")
        answers[row["review"]][row["name"]] = Answer(*(row[name] for name in members))
    return rows, given, answers


async def replayed(
    policy: Policy,
    rows: Sequence[Mapping[str, Any]],
    given: Mapping[UUID, list[Given]],
    answers: Mapping[UUID, dict[str, Answer]],
) -> list[Judged]:
    """Beside the loop: others are not kept waiting by the arithmetic."""

    def compute() -> list[Judged]:
        return [
            Judged(
                row,
                replay(policy, row["facts"], given.get(row["id"], []), answers.get(row["id"], {}), row["content_hash"]),
            )
            for row in rows
        ]

    return await asyncio.to_thread(compute)
