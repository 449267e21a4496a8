"""The duty that sends what waits: any number of processes share it."""

import asyncio
from collections.abc import Awaitable, Callable

from assent_common.database import Database, is_transient
from assent_common.supervise import either
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
        """Who takes long, or does not answer, has one of the places as long as that: the others go on beside it."""
        sending: set[asyncio.Task[None]] = set()
        try:
            while not stopping.is_set():
                more = False
                try:
                    _forget_ended(sending)
                    more = await self._begin(sending)
                except Exception as error:
                    if not is_transient(error):
                        raise
                await self._rest(sending, stopping, refill=more)
            # What was sent is put on record, if that is soon: the service does not wait for long.
            await asyncio.gather(*sending, return_exceptions=True)
        finally:
            for task in sending:
                task.cancel()
            await asyncio.gather(*sending, return_exceptions=True)

    async def once(self) -> bool:
        """Make what is to be sent, and try some of what is due. True if there may be more."""
        made, due = await self._next(self._at_once)
        await asyncio.gather(*(self._one(row) for row in due))
        return bool(made or due)

    async def _begin(self, sending: set[asyncio.Task[None]]) -> bool:
        """True if there may be more than there is a place for."""
        free = self._at_once - len(sending)
        _, due = await self._next(free)
        sending.update(asyncio.create_task(self._one(row)) for row in due)
        return len(due) == free

    async def _next(self, most: int) -> tuple[int, list[Row]]:
        """How much was made, and so many of what is due."""
        made = 0
        if self._prepare is not None:
            async with self._database.transaction() as uow:
                made = await self._prepare(uow)
        if not most:
            return made, []
        async with self._database.connection() as connection:
            return made, await self._queue.claim(connection, most)

    async def _rest(self, sending: set[asyncio.Task[None]], stopping: asyncio.Event, *, refill: bool) -> None:
        """For a second; if there is more to send, until half of the places are free: each look costs statements."""
        freed = asyncio.Event()

        def ended(_: asyncio.Task[None]) -> None:
            if sum(not task.done() for task in sending) * 2 <= self._at_once:
                freed.set()

        if refill:
            for task in sending:
                task.add_done_callback(ended)
        try:
            await either(freed, stopping, within_s=LOOK_EVERY_S)
        finally:
            for task in sending:
                task.remove_done_callback(ended)

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


def _forget_ended(sending: set[asyncio.Task[None]]) -> None:
    """Raises what one of them did."""
    for task in [task for task in sending if task.done()]:
        sending.remove(task)
        task.result()
