"""A finding ended, or something else may serve for a use case than before: what that kept from acceptance is looked at
again.

Not in the transaction that did so, which may be about another candidacy of the same version, or about none: it would
take its locks in another order than everybody does. A timer is written with it instead, and fires at once.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from assent_common.database import Database
from assent_common.events.governance import CandidacyStatus
from assent_common.uow import UnitOfWork

from assent_workflow import subjects
from assent_workflow.candidacies import store as candidacies
from assent_workflow.reviews.watch import go_on

# Of a finding, or of a use case itself. Index: timers_waiting.
DUE = """
select t.id, t.subject, f.model_version from timers t left join findings f on f.id = t.subject
 where t.fired_at is null and t.candidacy is null and t.kind = 'look_again'
   and t.fire_at <= coalesce($1::timestamptz, now())
 order by t.fire_at limit $2
"""
# Index: candidacies_model_version.
UNDER_REVIEW = "select id from candidacies where model_version = $1 and status = 'under_review' order by id"
# Index: candidacies_steps.
STEPS_UNDER_REVIEW = """
select id from candidacies where use_case_id = $1 and step_to is not null and status = 'under_review' order by id
"""
# By the id that it had: one that was written anew meanwhile stays.
DONE = "delete from timers where id = $1"


async def due(connection: asyncpg.Connection, *, at: datetime | None, most: int) -> Sequence[asyncpg.Record]:
    """Not locked: who does it twice does nothing the second time."""
    rows: Sequence[asyncpg.Record] = await connection.fetch(DUE, at, most)
    return rows


async def look_again(database: Database, timer: Mapping[str, Any]) -> None:
    """At each candidacy of the version that is under review, or each step of the use case, in a transaction of its
    own."""
    of_version = timer["model_version"] is not None
    statement, of = (UNDER_REVIEW, timer["model_version"]) if of_version else (STEPS_UNDER_REVIEW, timer["subject"])
    async with database.connection() as connection:
        waiting = await connection.fetch(statement, of)
    for row in waiting:
        async with database.transaction() as uow:
            await _at_one(uow, row["id"])
    async with database.connection() as connection:
        await connection.execute(DONE, timer["id"])


async def _at_one(uow: UnitOfWork, id_: UUID) -> None:
    connection = await uow.sql()
    await subjects.hold(connection, id_)
    [candidacy] = await candidacies.lock(connection, [id_])
    if candidacy.status is CandidacyStatus.UNDER_REVIEW:
        await go_on(uow, candidacy, await subjects.subject_of(connection, candidacy))
