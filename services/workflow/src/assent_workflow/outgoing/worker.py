"""The duty that sends what waits: any number of processes share it."""

import asyncio
from collections.abc import Awaitable, Callable

from assent_common.database import Database, is_transient
from assent_common.supervise import pause
from assent_common.uow import UnitOfWork

from assent_workflow import metrics
from assent_workflow.outgoing.outcome import Outcome
from assent_workflow.outgoing.queue import Ended, Queue, Row

LOOK_EVERY_S = 1.0

Prepare = Callable[[UnitOfWork], Awaitable[int]]
Send = Callable[[Row], Awaitable[Outcome]]
After = Callable[[UnitOfWork, Row, Outcome, Ended], Awaitable[None]]


class Worker:
    """Sends at least once: what went out and was not put on record before its process died goes out once more."""

    def __init__(
        self,
        database: Database,
        queue: Queue,
        send: Send,
        *,
        channel: str,
        prepare: Prepare | None = None,
        after: After | None = None,
        at_once: int = 10,
    ) -> None:
        """`prepare` makes what is to be sent, `after` does what follows from an outcome, each in its own transaction.

        A process that dies just before `after` leaves it undone, until the next outcome.
        """
        self._database = database
        self._queue = queue
        self._send = send
        self._channel = channel
        self._prepare = prepare
        self._after = after
        self._at_once = at_once

    async def run(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            try:
                busy = await self.once()
            except Exception as error:
                if not is_transient(error):
                    raise
                busy = False
            if not busy:
                await pause(stopping, LOOK_EVERY_S)

    async def once(self) -> bool:
        """Make what is to be sent, and try some of what is due. True if there may be more."""
        made = 0
        if self._prepare is not None:
            async with self._database.transaction() as uow:
                made = await self._prepare(uow)
        async with self._database.connection() as connection:
            due = await self._queue.claim(connection, self._at_once)
        await asyncio.gather(*(self._one(row) for row in due))
        return bool(made or due)

    async def _one(self, row: Row) -> None:
        outcome = await self._send(row)
        async with self._database.connection() as connection:
            ended = await self._queue.ended(connection, row, outcome)
        if ended is not None:
            metrics.OUTGOING.labels(self._channel, ended).inc()
        # Holding no row of the queue: what follows may touch others of them, which others hold.
        if ended is not None and self._after is not None:
            async with self._database.transaction() as uow:
                await self._after(uow, row, outcome, ended)
