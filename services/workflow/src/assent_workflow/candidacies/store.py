"""Candidacies, reviews and tasks as rows. A candidacy's row lock guards its whole round: it is taken before those.

A use case's step is a row of the same table: what is judged in rounds, of a use case alone.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import orjson
from assent_common.canonical import ContentHash
from assent_common.events.catalog import Stage
from assent_common.events.governance import CandidacyStatus, CheckResult, TaskStatus
from assent_common.ids import Urn
from assent_common.uow import UnitOfWork

from assent_workflow.candidacies import tell
from assent_workflow.candidacies.model import Candidacy, Matter, Person, Step
from assent_workflow.external import store as external
from assent_workflow.findings import look as findings
from assent_workflow.policies import store as policies
from assent_workflow.reviews.changes import since_others
from assent_workflow.reviews.model import Change, Review, ReviewStatus, Round, Task
from assent_workflow.timers import model as timers
from assent_workflow.timers import store as timer_rows

# In the order of ids, so that two that lock several never wait for each other.
LOCK = "select * from candidacies where id = any($1::uuid[]) order by id for update"
# Index: candidacies_model_version.
OF_VERSIONS = """
select id, model_version from candidacies
 where model_version = any($1::text[]) and status not in ('retired', 'withdrawn')
"""
# What a change to a use case can move: what is under review, its own acceptance, and all that stands where it was
# given up.
# Index: candidacies_standing.
OF_USE_CASES = """
select c.id, c.use_case_id from candidacies c join use_cases u on u.id = c.use_case_id
 where c.use_case_id = any($1::uuid[]) and c.status not in ('retired', 'withdrawn')
   and (c.status = 'under_review' or u.stage = any($2::text[]) or (c.step_to is not null and c.status = 'accepted'))
"""
# Steps out of which something serves, that others of its versions may change. Index: candidacies_model_version,
# candidacies_steps.
OF_SERVING = """
select c.id, v.model_version from candidacies c join candidacies v on v.use_case_id = c.use_case_id
 where v.model_version = any($1::text[]) and c.step_to = any($2::text[]) and c.status = 'under_review'
"""
# Index: candidacies_steps.
STEPS_OF = """
select * from candidacies where use_case_id = $1 and step_to is not null and status not in ('retired', 'withdrawn')
 order by id for update
"""
INSERT_STEP = """
insert into candidacies (id, use_case_id, use_case, step_to, status, put_forward_by, put_forward_by_issuer, created_at,
                         changed_by, changed_at, sequence)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $8, $10)
on conflict (id) do nothing
"""
REVIEW = "select * from reviews where id = $1"
TASKS = "select * from tasks where review = $1 order by id"
TASK = "select t.*, r.status as review_status from tasks t join reviews r on r.id = t.review where t.id = $1"
JUDGED = "select content from reviews where id = $1"
INSERT_CANDIDACY = """
insert into candidacies (id, use_case_id, use_case, model_version, version_created_at, status, put_forward_by,
                         put_forward_by_issuer, created_at, changed_by, changed_at, sequence)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $9, $11)
on conflict (use_case_id, model_version) where status not in ('retired', 'withdrawn') do nothing
"""
# Compare and set: what was read is what is replaced.
UPDATE_CANDIDACY = """
update candidacies
   set status = $2, reason = $3, content_hash = $4, review = $5, policy = $6, changed_by = $7, changed_at = $8,
       expires_at = $9, overridden_by = $10, environments = $11, sequence = $12, accepted_at = $13
 where id = $1 and sequence = $14 and status = $15
"""
SAVE_REVIEW = """
insert into reviews (id, candidacy, policy, content_hash, content, status, checks, requested_by, requested_at, ended_at,
                     sequence, facts)
values ($1, $2, $3, $4, coalesce($5::jsonb, '{}'), $6, $7::jsonb, $8, $9, $10, $11, $12::jsonb)
on conflict (id) do update
   set content_hash = excluded.content_hash, content = coalesce($5::jsonb, reviews.content), status = excluded.status,
       facts = coalesce(excluded.facts, reviews.facts), checks = excluded.checks, ended_at = excluded.ended_at,
       sequence = excluded.sequence
"""
SAVE_TASKS = """
insert into tasks (id, review, candidacy, stage, role, status, opened_at, due_at, decided_by, decided_by_issuer,
                   decided_at, comment, dismissed, seat, on_behalf_of, on_behalf_of_issuer, assignee, kept_from,
                   asked_group, sequence)
select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::timestamptz[],
                     $8::timestamptz[], $9::text[], $10::text[], $11::timestamptz[], $12::text[], $13::text[],
                     $14::integer[], $15::text[], $16::text[], $17::text[], $18::uuid[], $19::text[],
                     $20::bigint[])
on conflict (id) do update
   set status = excluded.status, opened_at = excluded.opened_at, due_at = excluded.due_at,
       decided_by = excluded.decided_by, decided_by_issuer = excluded.decided_by_issuer,
       decided_at = excluded.decided_at, comment = excluded.comment, dismissed = excluded.dismissed,
       on_behalf_of = excluded.on_behalf_of, on_behalf_of_issuer = excluded.on_behalf_of_issuer,
       assignee = excluded.assignee, kept_from = excluded.kept_from, sequence = excluded.sequence
"""


class Overtaken(Exception):
    """Somebody else changed it between reading and writing. The row lock forbids it: a fault of ours."""


async def lock(connection: asyncpg.Connection, ids: Sequence[UUID]) -> list[Matter]:
    """Candidacies and steps, locked until the end of the transaction, in the order of their ids."""
    return [_matter(row) for row in await connection.fetch(LOCK, list(ids))]


async def insert(uow: UnitOfWork, candidacy: Candidacy) -> bool:
    """False where one of this version for this use case stands already."""
    status = await (await uow.sql()).execute(
        INSERT_CANDIDACY,
        *(candidacy.id, candidacy.use_case_id, candidacy.use_case, candidacy.model_version),
        *(candidacy.version_created_at, candidacy.status, candidacy.put_forward_by.subject),
        *(candidacy.put_forward_by.issuer, candidacy.changed_at, candidacy.changed_by, candidacy.sequence),
    )
    if status.endswith(" 0"):
        return False
    findings.concerning(uow, candidacy.model_version)
    tell.matter(uow, candidacy)
    return True


async def insert_step(uow: UnitOfWork, step: Step) -> bool:
    """False where it was there. Nothing is told of it before it is known what becomes of it."""
    status = await (await uow.sql()).execute(
        INSERT_STEP,
        *(step.id, step.use_case_id, step.use_case, step.to, step.status, step.put_forward_by.subject),
        *(step.put_forward_by.issuer, step.changed_at, step.changed_by, step.sequence),
    )
    return not status.endswith(" 0")


async def steps_of(connection: asyncpg.Connection, use_case: UUID) -> list[Step]:
    """Those that have not ended, locked as the use case is, the oldest first."""
    found = [_matter(row) for row in await connection.fetch(STEPS_OF, use_case)]
    return [step for step in found if isinstance(step, Step)]


async def round_of(connection: asyncpg.Connection, candidacy: Matter, review: UUID | None = None) -> Round:
    """A round of the candidacy: the one named, or else the present one. It must have had one."""
    id_ = review or candidacy.review
    row = await connection.fetchrow(REVIEW, id_)
    assert row is not None
    tasks = await connection.fetch(TASKS, id_)
    return Round(candidacy, _review(row), tuple(_task(task) for task in tasks))


class Asked(NamedTuple):
    """A task as it stood when it was read, without its round and without a lock."""

    candidacy: UUID
    task: Task
    review: ReviewStatus


async def task_alone(connection: asyncpg.Connection, id_: UUID) -> Asked | None:
    row = await connection.fetchrow(TASK, id_)
    return Asked(row["candidacy"], _task(row), ReviewStatus(row["review_status"])) if row else None


async def judged(connection: asyncpg.Connection, review: UUID) -> dict[str, Any]:
    """The content that the review is pinned to, part by part."""
    content: dict[str, Any] = await connection.fetchval(JUDGED, review)
    return content


async def save(
    uow: UnitOfWork,
    before: Matter,
    after: Round,
    change: Change,
    *,
    content: Mapping[str, Any] | None = None,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Write what a step changed, and tell it. `content` where the review is pinned to another one than before, `facts`
    where it was judged on those that stand now."""
    connection = await uow.sql()
    if change.candidacy is not None:
        await save_candidacy(uow, before, change.candidacy)
    if change.review is not None:
        await connection.execute(SAVE_REVIEW, *_review_values(change.review, content, facts))
        if change.review.status is ReviewStatus.OPEN:
            policy = await policies.pinned(connection, change.review.policy)
            await external.ask(connection, policy, change.review, uow.clock.now())
        tell.review(uow, after.candidacy, change.review, await since_others(connection, change.review.id))
    if change.tasks:
        rows = [_task_values(after.candidacy, task) for task in change.tasks]
        await connection.execute(SAVE_TASKS, *map(list, zip(*rows, strict=True)))
        await _wait_for(connection, after, change.tasks)
        for task in change.tasks:
            tell.task(uow, after.candidacy, task)
        # Who has not answered in time may have by now.
        if isinstance(after.candidacy, Step):
            findings.concerning_use_case(uow, after.candidacy.use_case_id)


async def save_candidacy(uow: UnitOfWork, before: Matter, after: Matter) -> None:
    connection = await uow.sql()
    status = await connection.execute(
        UPDATE_CANDIDACY,
        *(after.id, after.status, after.reason, after.content_hash, after.review, after.policy, after.changed_by),
        *(after.changed_at, after.expires_at, after.overridden_by, after.environments, after.sequence),
        after.accepted_at,
        *(before.sequence, before.status),
    )
    if not status.endswith(" 1"):
        raise Overtaken(str(after.id))
    # That it expired is known by its timer, until somebody looks at it again.
    fired = after.status is CandidacyStatus.SUSPENDED
    await timer_rows.keep(
        connection,
        [after.id],
        timers.of_candidacy(after),
        candidacy=after.id,
        step=isinstance(after, Step),
        fired=fired,
    )
    match after:
        case Candidacy():
            findings.concerning(uow, after.model_version)
        case Step():
            findings.concerning_use_case(uow, after.use_case_id)
    tell.matter(uow, after)


async def _wait_for(connection: asyncpg.Connection, after: Round, tasks: Sequence[Task]) -> None:
    """For what the policy says is to happen in time with tasks that changed."""
    policy = await policies.pinned(connection, after.review.policy)
    waiting = [timer for task in tasks for timer in timers.of_task(task, policy.approval(task.stage, task.role))]
    await timer_rows.keep(
        connection,
        [task.id for task in tasks],
        waiting,
        candidacy=after.candidacy.id,
        step=isinstance(after.candidacy, Step),
    )


def _matter(row: Mapping[str, Any]) -> Matter:
    known: dict[str, Any] = {
        "id": row["id"],
        "use_case": row["use_case"],
        "use_case_id": row["use_case_id"],
        "status": CandidacyStatus(row["status"]),
        "reason": row["reason"],
        "content_hash": row["content_hash"],
        "review": row["review"],
        "policy": row["policy"],
        "put_forward_by": Person(row["put_forward_by_issuer"], row["put_forward_by"]),
        "changed_by": row["changed_by"],
        "changed_at": row["changed_at"],
        "expires_at": row["expires_at"],
        "overridden_by": row["overridden_by"],
        "environments": _environments(row),
        "accepted_at": row["accepted_at"],
        "sequence": row["sequence"],
    }
    if row["step_to"] is not None:
        return Step(**known, to=Stage(row["step_to"]))
    return Candidacy(**known, model_version=Urn(row["model_version"]), version_created_at=row["version_created_at"])


def _environments(row: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Of an acceptance: the release before this one, beside which this may run, leaves them where it ends one."""
    if row["status"] != CandidacyStatus.ACCEPTED or row["environments"] is None:
        return None
    return tuple(row["environments"])


def _review(row: Mapping[str, Any]) -> Review:
    return Review(
        id=row["id"],
        candidacy=row["candidacy"],
        policy=row["policy"],
        content_hash=ContentHash(row["content_hash"]),
        status=ReviewStatus(row["status"]),
        checks=tuple(CheckResult.model_validate(check) for check in row["checks"]),
        requested_by=row["requested_by"],
        requested_at=row["requested_at"],
        ended_at=row["ended_at"],
        sequence=row["sequence"],
    )


def _task(row: Mapping[str, Any]) -> Task:
    return Task(
        id=row["id"],
        review=row["review"],
        stage=row["stage"],
        role=row["role"],
        seat=row["seat"],
        status=TaskStatus(row["status"]),
        opened_at=row["opened_at"],
        due_at=row["due_at"],
        decided_by=_person(row, "decided_by"),
        decided_at=row["decided_at"],
        on_behalf_of=_person(row, "on_behalf_of"),
        comment=row["comment"],
        assignee=row["assignee"],
        group=row["asked_group"],
        kept_from=row["kept_from"],
        dismissed=row["dismissed"],
        sequence=row["sequence"],
    )


def _person(row: Mapping[str, Any], name: str) -> Person | None:
    return Person(row[f"{name}_issuer"], row[name]) if row[name] is not None else None


def _review_values(
    review: Review, content: Mapping[str, Any] | None, facts: Mapping[str, Any] | None
) -> tuple[Any, ...]:
    return (
        *(review.id, review.candidacy, review.policy, review.content_hash),
        *(_json(content) if content is not None else None, review.status),
        *(_json([check.model_dump() for check in review.checks]), review.requested_by, review.requested_at),
        *(review.ended_at, review.sequence, _json(facts) if facts else None),
    )


def _task_values(candidacy: Matter, task: Task) -> tuple[Any, ...]:
    by, behalf = task.decided_by, task.on_behalf_of
    return (
        *(task.id, task.review, candidacy.id, task.stage, task.role, task.status, task.opened_at, task.due_at),
        *(by.subject if by else None, by.issuer if by else None, task.decided_at, task.comment, task.dismissed),
        *(task.seat, behalf.subject if behalf else None, behalf.issuer if behalf else None),
        *(task.assignee, task.kept_from, task.group, task.sequence),
    )


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
