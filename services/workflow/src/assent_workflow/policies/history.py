"""A policy tried on what was judged in a time: what it would have decided, beside what was decided."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from assent_workflow.external.model import Answer
from assent_workflow.identities import store as identities
from assent_workflow.identities.model import Identities, Person
from assent_workflow.policies.kept_apart import Given, People, named
from assent_workflow.policies.model import Policy
from assent_workflow.policies.replay import Replayed, replay

# Index: reviews_requested.
ROUNDS = """
select r.id, r.candidacy, r.policy, r.status, r.requested_at, r.ended_at, r.content_hash, r.facts, c.use_case,
       c.model_version, c.put_forward_by, c.put_forward_by_issuer, c.step_to, r.requested_by
  from reviews r join candidacies c on c.id = r.candidacy
 where r.requested_at >= $1 and r.requested_at < $2 and (c.step_to is not null) = $6
   and ($3::timestamptz is null or (r.requested_at, r.id) > ($3, $4::uuid))
 order by r.requested_at, r.id limit $5
"""
# Index: tasks_review.
GIVEN = """
select review, role, status, asked_group, decided_by, decided_by_issuer, on_behalf_of, on_behalf_of_issuer from tasks
 where review = any($1::uuid[]) and status in ('approved', 'rejected', 'changes_requested') order by decided_at, id
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
    of_steps: bool,
) -> tuple[list[Mapping[str, Any]], dict[UUID, list[Given]], dict[UUID, dict[str, Answer]], Identities]:
    """Those asked for in that time, oldest first, with what was said in each: four statements for a page.

    Of candidacies, or of steps of use cases.
    """
    rows = list(await connection.fetch(ROUNDS, since, until, *(after or (None, None)), limit, of_steps))
    ids = [row["id"] for row in rows]
    given: dict[UUID, list[Given]] = defaultdict(list)
    for row in await connection.fetch(GIVEN, ids):
        by, behalf = _person(row, "decided_by"), _person(row, "on_behalf_of")
        given[row["review"]].append(Given(row["role"], row["status"], row["asked_group"], by, behalf))
    answers: dict[UUID, dict[str, Answer]] = defaultdict(dict)
    for row in await connection.fetch(ANSWERS, ids):
        members = ("passed", "reason", "evidence", "digest", "answered_at")
        answers[row["review"]][row["name"]] = Answer(*(row[name] for name in members))
    names = {name for row in rows for name in named(row["facts"])}
    return rows, given, answers, await identities.of(connection, names)


async def replayed(
    policy: Policy,
    rows: Sequence[Mapping[str, Any]],
    given: Mapping[UUID, list[Given]],
    answers: Mapping[UUID, dict[str, Answer]],
    told: Identities,
) -> list[Judged]:
    """Beside the loop: others are not kept waiting by the arithmetic."""

    def compute() -> list[Judged]:
        return [Judged(row, one(row)) for row in rows]

    def one(row: Mapping[str, Any]) -> Replayed:
        facts, id_ = row["facts"], row["id"]
        people = People.of(facts or {}, _person(row, "put_forward_by"), told, asked_by=row["requested_by"])
        return replay(policy, facts, given.get(id_, []), answers.get(id_, {}), row["content_hash"], people)

    return await asyncio.to_thread(compute)


def _person(row: Mapping[str, Any], name: str) -> Person | None:
    return Person(row[f"{name}_issuer"], row[name]) if row[name] is not None else None
