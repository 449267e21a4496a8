"""The duty that asks other systems, and what follows from their answers. Nothing is held while one thinks."""

import asyncio
from typing import Any

from assent_common.actors import ASSENT
from assent_common.database import Database
from assent_common.events.governance import CandidacyStatus
from assent_common.uow import UnitOfWork

from assent_workflow import metrics, subjects
from assent_workflow.candidacies import store as candidacies
from assent_workflow.candidacies.model import Matter
from assent_workflow.external import store
from assent_workflow.external.call import Caller, NoAnswer
from assent_workflow.external.model import Answer
from assent_workflow.outgoing.places import Places, Room, Row
from assent_workflow.reviews.watch import go_on

AT_ONCE = 10
TYPE = "assent.check.requested.v1"


class ExternalChecks:
    """Any number of processes share them. One whose process dies is asked again, under the same id."""

    def __init__(self, database: Database, caller: Caller) -> None:
        self._database = database
        self._caller = caller

    async def run(self, stopping: asyncio.Event) -> None:
        """A system that does not answer is in no other's way. Told to stop before it began, it looks once."""
        places = Places(self._due, self._one, _system, channel="check", at_once=AT_ONCE)
        await places.run(stopping)

    async def _due(self, room: Room) -> list[Row]:
        async with self._database.connection() as connection:
            return await store.claim(connection, room)

    async def _one(self, row: Row) -> bool:
        """True where it was answered."""
        answer = await self._caller.ask(
            str(row["id"]), row["url"], _question(row), timeout_s=row["timeout_s"], at=row["now"]
        )
        async with self._database.transaction() as uow:
            # The candidacy before the answer: who holds it may have to wait for the answers of others.
            candidacy = await _hold(uow, row)
            if isinstance(answer, NoAnswer):
                metrics.EXTERNAL_CHECKS.labels("unknown").inc()
                # Also told: who reads the review sees why it is not known.
                await store.failed(await uow.sql(), row, answer.status, answer.why)
                await _follow(uow, row, candidacy)
            else:
                metrics.EXTERNAL_CHECKS.labels("passed" if answer.passed else "failed").inc()
                await _take(uow, row, candidacy, answer)
        return isinstance(answer, Answer)


def _system(row: Row) -> str:
    url: str = row["url"]
    return url


async def _hold(uow: UnitOfWork, row: Row) -> Matter:
    connection = await uow.sql()
    await subjects.hold(connection, row["candidacy"])
    [candidacy] = await candidacies.lock(connection, [row["candidacy"]])
    return candidacy


async def _take(uow: UnitOfWork, row: Row, candidacy: Matter, answer: Answer) -> None:
    if not await store.answered(await uow.sql(), row, answer):
        return
    details = {
        "check": row["name"],
        "review": str(row["review"]),
        "url": row["url"],
        "content_hash": row["content_hash"],
        "passed": answer.passed,
        "reason": answer.reason,
        "evidence": answer.evidence,
        "digest": answer.digest,
    }
    uow.audit(ASSENT, "check.answered", str(row["candidacy"]), details)
    await _follow(uow, row, candidacy)


async def _follow(uow: UnitOfWork, row: Row, candidacy: Matter) -> None:
    """Look at the round again, if it is still the one that asked."""
    if candidacy.status is CandidacyStatus.UNDER_REVIEW and candidacy.review == row["review"]:
        await go_on(uow, candidacy, await subjects.subject_of(await uow.sql(), candidacy))


def _question(row: Row) -> dict[str, Any]:
    """As Standard Webhooks shape it; what it is about is said as events say it."""
    members = ("policy", "use_case", "model_version", "content_hash", "content")
    about, is_step = str(row["candidacy"]), row["step_to"] is not None
    return {
        "type": TYPE,
        "timestamp": row["now"].isoformat(),
        "data": {
            "check": row["name"],
            "review": str(row["review"]),
            "candidacy": None if is_step else about,
            **({"step": about, "to": row["step_to"]} if is_step else {}),
            **{name: row[name] for name in members},
        },
    }
