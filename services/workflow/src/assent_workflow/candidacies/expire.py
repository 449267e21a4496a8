"""Acceptances end when their time is up. The gate looks at the time itself; this tells everybody else."""

import asyncio

from assent_common.database import Database, is_transient
from assent_common.supervise import pause
from assent_common.uow import UnitOfWork

from assent_workflow.candidacies import store
from assent_workflow.candidacies.end import end_locked
from assent_workflow.candidacies.model import Trigger

# Any number of workers share them: a row that another holds is skipped. Index: candidacies_expiry.
DUE = """
select id from candidacies where status = 'accepted' and expires_at <= now()
 order by expires_at limit 50 for update skip locked
"""
LOOK_EVERY_S = 5.0


class Expiry:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            try:
                async with self._database.transaction() as uow:
                    busy = await expire(uow)
            except Exception as error:
                if not is_transient(error):
                    raise
                busy = False
            if not busy:
                await pause(stopping, LOOK_EVERY_S)


async def expire(uow: UnitOfWork) -> bool:
    """Suspend what is due, at the most fifty. True if there may be more."""
    connection = await uow.sql()
    due = [row["id"] for row in await connection.fetch(DUE)]
    for candidacy in await store.lock(connection, due):
        reason = f"the acceptance held until {candidacy.expires_at:%Y-%m-%d}: look at it again"
        await end_locked(uow, candidacy, Trigger.EXPIRED, by="assent", reason=reason)
    return len(due) == 50
