"""The duty that sends what waits: any number of processes share it."""

import asyncio
from collections.abc import Awaitable, Callable

from assent_common.database import Database
from assent_common.uow import UnitOfWork

from assent_workflow import metrics
from assent_workflow.outgoing.outcome import Outcome
from assent_workflow.outgoing.places import Places, Room, Row
from assent_workflow.outgoing.queue import Ended, Queue

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
        """Who does not answer is in nobody's way. Told to stop before it began, it looks once."""
        places = Places(
            *(self._due, self._one, self._queue.receiver_of),
            channel=self._channel,
            at_once=self._at_once,
            prepare=self._make if self._prepare is not None else None,
            together=self._queue.is_of_one,
        )
        await places.run(stopping)

    async def _make(self) -> None:
        assert self._prepare is not None
        async with self._database.transaction() as uow:
            await self._prepare(uow)

    async def _due(self, room: Room) -> list[Row]:
        async with self._database.connection() as connection:
            return await self._queue.claim(connection, room)

    async def _one(self, row: Row) -> bool:
        """True where it was taken."""
        outcome = await self._send(row)
        async with self._database.connection() as connection:
            ended = await self._queue.ended(connection, row, outcome)
        if ended is not None:
            metrics.OUTGOING.labels(self._channel, ended).inc()
        # Holding no row of the queue: what follows may touch others of them, which others hold.
        if ended is not None and self._after is not None:
            async with self._database.transaction() as uow:
                await self._after(uow, row, outcome, ended)
        return outcome.taken
