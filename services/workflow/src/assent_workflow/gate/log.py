"""Every question and its answer, kept before the answer is given."""

import asyncio
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

import asyncpg
from assent_common import ids, telemetry
from assent_common.database import Database, is_transient
from assent_common.identity.roles import Principal
from assent_common.supervise import pause

from assent_workflow.gate.answer import Answer
from assent_workflow.gate.names import Question

KEEP = """
insert into gate_questions (id, asked_at, asked_by, asked_by_issuer, model_version, artifact_digest, image, use_case,
                            environment, allow, reasons, decided_by, candidacy, correlation_id)
values ($1, coalesce($2, now()), $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
"""
KEPT_FOR = timedelta(days=90)
# Index: the primary key, for ids grow with time: what is young is never looked at.
FORGET = """
delete from gate_questions where id in (
    select id from gate_questions where id < $1 order by id limit 5000 for update skip locked)
"""
FORGOTTEN_AT_ONCE = 5000
TIDY_EVERY_S = 600.0


async def keep(connection: asyncpg.Connection, id_: UUID, question: Question, answer: Answer, *, by: Principal) -> None:
    await connection.execute(
        KEEP,
        *(id_, answer.asked_at, by.subject, by.issuer),
        *(question.model_version, question.artifact_digest, question.image, question.use_case, question.environment),
        *(answer.allow, answer.reasons, answer.model_version, answer.candidacy, telemetry.correlation_id()),
    )


class Forgetting(NamedTuple):
    """Lets go of questions after ninety days. Any number may run."""

    database: Database

    def oldest(self) -> UUID:
        """The least id that is kept."""
        return ids.least_at(self.database.clock.now() - KEPT_FOR)

    async def run(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            busy = False
            try:
                async with self.database.connection() as connection:
                    busy = await connection.execute(FORGET, self.oldest()) == f"DELETE {FORGOTTEN_AT_ONCE}"
            except Exception as error:
                if not is_transient(error):
                    raise
            if not busy:
                await pause(stopping, TIDY_EVERY_S)
