"""Decisions back to SageMaker: what it is to say of each version.

What is wanted is worked out from the candidacies alone, in the transaction that learns of them; a duty does it later,
again after any failure, and checks what is there before it writes.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg
from assent_common import ids, telemetry
from assent_common.events.envelope import CloudEvent
from assent_common.uow import UnitOfWork

from assent_sagemaker import approvals, candidacies
from assent_sagemaker.attempts import AFTER_FAILURE
from assent_sagemaker.desire import Desire, desire, put_back_description, use_cases_label
from assent_sagemaker.drift import Approval, restored_to

OF_KEYS = "select * from write_backs where key = any($1::text[])"
WANT = """
insert into write_backs as w (key, id, urn, candidacy, use_case, desired, description, status, use_cases, content_hash,
                              restores, revision, state, attempts, next_attempt_at, requested_at, correlation_id,
                              traceparent)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 1, 'pending', 0, $12, $12, $13, $14)
on conflict (key) do update
   set id = excluded.id, urn = excluded.urn, candidacy = excluded.candidacy, use_case = excluded.use_case,
       desired = excluded.desired, description = excluded.description, status = excluded.status,
       use_cases = excluded.use_cases, content_hash = excluded.content_hash, restores = excluded.restores,
       revision = w.revision + 1,
       state = 'pending', attempts = 0, next_attempt_at = excluded.next_attempt_at, last_error = null, note = null,
       requested_at = excluded.requested_at, finished_at = null, correlation_id = excluded.correlation_id,
       traceparent = excluded.traceparent
"""
LET_GO = "update write_backs set state = 'void', revision = revision + 1, finished_at = $2 where key = $1"
GIVE_UP = """
update write_backs set state = 'failed', last_error = $2, settings = $3, finished_at = $4, next_attempt_at = $5
 where key = $1
"""


async def apply(uow: UnitOfWork, events: Sequence[CloudEvent], *, review_url: str | None = None) -> None:
    """Learn of candidacies, and want what follows from them. `review_url`: where a review (`{review}`) is shown."""
    connection = await uow.sql()
    causes = await candidacies.hear(connection, events)
    await work_out(connection, causes, uow.clock.now(), review_url=review_url)


async def work_out(
    connection: asyncpg.Connection,
    causes: Mapping[str, CloudEvent | None],
    now: datetime,
    *,
    review_url: str | None = None,
) -> None:
    """What is wanted of these versions (by key, each with what led to the question), by their candidacies alone."""
    if not causes:
        return
    created_at = await approvals.open_and_lock(connection, causes)
    known = await candidacies.of_versions(connection, created_at)
    before = {row["key"]: row for row in await connection.fetch(OF_KEYS, sorted(causes))}
    for key in sorted(causes):
        wanted, stands = desire(known[key]), before.get(key)
        if wanted is None:
            await _let_go(connection, key, stands, now)
            continue
        asked = _asked(wanted, review_url)
        if stands is None or stands["state"] == "void" or not _is_asked(stands, asked):
            with _after(causes[key]):
                await _want(connection, key, asked, now)
        await approvals.want(connection, key, wanted.approval)


async def put_back(
    connection: asyncpg.Connection, row: approvals.Row, now: datetime, *, settings: str, review_url: str | None
) -> None:
    """Have a version's drift put back, unless its approval is about to be written anyway, or was put back too often."""
    to, drift = restored_to(row.standing), row.standing.drift
    (stands,) = await connection.fetch(OF_KEYS, [row.key]) or [None]
    if to is None or drift is None or (stands is not None and stands["state"] == "pending"):
        return
    decided = desire((await candidacies.of_versions(connection, {row.key: row.created_at}))[row.key])
    asked = _asked(decided, review_url) if decided else _Asked(row.urn, None, None, to, "", None, None, None, False)
    why = put_back_description(drift, to, asked.description or None)
    await _want(connection, row.key, asked._replace(desired=to, description=why, restores=True), now)
    if row.restores.exhausted(now):
        again_by = f"{drift.by or 'somebody'} changed it again: not put back, people have to talk"
        error = f"put back {row.restores.count} times since {row.restores.last_at:%H:%M}, and {again_by}"
        await connection.execute(GIVE_UP, row.key, error, settings, now, now + AFTER_FAILURE)
    else:
        await approvals.restored(connection, row.key, row.restores.once_more(now))


class _Asked(NamedTuple):
    """What is asked of SageMaker, as a row says it."""

    urn: str
    candidacy: UUID | None
    use_case: str | None
    desired: Approval
    description: str
    status: str | None
    use_cases: str | None
    content_hash: str | None
    restores: bool


def _asked(wanted: Desire, review_url: str | None) -> _Asked:
    said = wanted.candidacy
    return _Asked(
        *(said.urn, said.id, said.use_case, wanted.approval, wanted.description(review_url), wanted.status.value),
        *(use_cases_label(wanted.use_cases), said.content_hash, False),
    )


def _is_asked(row: asyncpg.Record, asked: _Asked) -> bool:
    """Whether this was asked already. How a description words it makes no difference, nor does a drift put back."""
    compared = ("candidacy", "desired", "status", "use_cases", "content_hash")
    return all(row[name] == getattr(asked, name) for name in compared)


def _after(cause: CloudEvent | None) -> AbstractContextManager[object]:
    return telemetry.caused_by(cause) if cause else nullcontext()


async def _want(connection: asyncpg.Connection, key: str, asked: _Asked, now: datetime) -> None:
    cause = telemetry.correlation_id(), telemetry.traceparent()
    await connection.execute(WANT, key, ids.of_urn(asked.urn), *asked, now, *cause)


async def _let_go(connection: asyncpg.Connection, key: str, stands: asyncpg.Record | None, now: datetime) -> None:
    await approvals.want(connection, key, None)
    # What puts a drift back needs no decision.
    if stands is not None and stands["state"] != "void" and stands["candidacy"] is not None:
        await connection.execute(LET_GO, key, now)
