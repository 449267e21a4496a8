"""The duty that asks other systems, and what follows from their answers. Nothing is held while one thinks."""

import asyncio
from collections.abc import Mapping
from typing import Any

from assent_common.actors import ASSENT
from assent_common.database import Database, is_transient
from assent_common.events.governance import CandidacyStatus
from assent_common.supervise import pause
from assent_common.uow import UnitOfWork

from assent_workflow import metrics, subjects
from assent_workflow.candidacies import store as candidacies
from assent_workflow.external import store
from assent_workflow.external.call import Caller, NoAnswer
from assent_workflow.external.model import Answer
from assent_workflow.reviews.watch import go_on

AT_ONCE = 10
LOOK_EVERY_S = 1.0
TYPE = "assent.check.requested.v1"

Row = Mapping[str, Any]


class ExternalChecks:
    """Any number of processes share them. One whose process dies is asked again, under the same id."""

    def __init__(self, database: Database, caller: Caller) -> None:
        self._database = database
        self._caller = caller

    async def run(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            try:
                busy = await self.once()
            except Exception as error:
                if not is_transient(error):
                    raise
                busy = 0
            if not busy:
                await pause(stopping, LOOK_EVERY_S)

    async def once(self) -> int:
        """Ask some of what is due; how many."""
        async with self._database.connection() as connection:
            due = await store.claim(connection, AT_ONCE)
        await asyncio.gather(*(self._one(row) for row in due))
        return len(due)

    async def _one(self, row: Row) -> None:
        answer = await self._caller.ask(
            str(row["id"]), row["url"], _question(row), timeout_s=row["timeout_s"], at=row["now"]
        )
        async with self._database.transaction() as uow:
            if isinstance(answer, NoAnswer):
                metrics.EXTERNAL_CHECKS.labels("unknown").inc()
                # Also told: who reads the review sees why it is not known.
                await store.failed(await uow.sql(), row, answer.status, answer.why)
                await _follow(uow, row)
            else:
                metrics.EXTERNAL_CHECKS.labels("passed" if answer.passed else "failed").inc()
                await _take(uow, row, answer)


async def _take(uow: UnitOfWork, row: Row, answer: Answer) -> None:
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
    await _follow(uow, row)


async def _follow(uow: UnitOfWork, row: Row) -> None:
    """Look at the round again, if it is still the one that asked."""
    connection = await uow.sql()
    await subjects.hold(connection, row["candidacy"])
    [candidacy] = await candidacies.lock(connection, [row["candidacy"]])
    if candidacy.status is CandidacyStatus.UNDER_REVIEW and candidacy.review == row["review"]:
        await go_on(uow, candidacy, await subjects.subject_of(connection, candidacy))


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
