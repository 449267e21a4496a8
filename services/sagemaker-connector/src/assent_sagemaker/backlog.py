"""What is read beside the runs, of every source that this process holds: reports, training jobs and lineage."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Generic, NamedTuple, Protocol, TypeVar

import asyncpg
from assent_common import telemetry
from assent_common.clock import Clock
from assent_common.database import Database, is_transient
from assent_common.supervise import pause

from assent_sagemaker.held import LeaseLost
from assent_sagemaker.writer import Holding

LOOK_EVERY_S = 0.5
BATCHES_AT_ONCE = 8


TAKEN_FOR = timedelta(minutes=10)
"""Longer than a batch takes: so late it is due again if it came to nothing."""


class Size(NamedTuple):
    batch: int = 100
    #: Batches at once. Where AWS is dead, one takes as long as it may, and the other sources go on beside it.
    of_a_source: int = 3


SIZE = Size()


class OfSource(Protocol):
    @property
    def source(self) -> str: ...


T = TypeVar("T", bound=OfSource)


class Take(Protocol[T]):
    """Some of what is due in these sources, which is not given again until `again_at`."""

    async def __call__(
        self,
        connection: asyncpg.Connection,
        sources: Collection[str],
        now: datetime,
        /,
        *,
        again_at: datetime,
        limit: int,
    ) -> list[T]: ...


class _Batch(NamedTuple):
    source: str
    task: asyncio.Task[None]


class Backlog(Generic[T]):
    """The duty that looks for all sources at once; takes no more than it can read."""

    def __init__(
        self,
        what: str,
        take: Take[T],
        read: Callable[[Holding, list[T]], Awaitable[None]],
        holdings: Callable[[], Iterable[Holding]],
        database: Database,
        clock: Clock,
        size: Size = SIZE,
    ) -> None:
        """`holdings` says which sources this process holds at the moment. `read` may raise LeaseLost."""
        self._what = what
        self._take = take
        self._read = read
        self._holdings = holdings
        self._database = database
        self._clock = clock
        self._size = size
        self._batches: set[_Batch] = set()

    async def run(self, stopping: asyncio.Event) -> None:
        try:
            while not stopping.is_set():
                try:
                    if await self._look():
                        continue
                except Exception as error:
                    if not is_transient(error):
                        raise
                    telemetry.logger().warning("backlog_waits", what=self._what, reason=repr(error))
                if self._batches:
                    tasks = [batch.task for batch in self._batches]
                    await asyncio.wait(tasks, timeout=LOOK_EVERY_S, return_when=asyncio.FIRST_COMPLETED)
                else:
                    await pause(stopping, LOOK_EVERY_S)
        finally:
            tasks = [batch.task for batch in self._batches]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self) -> bool:
        """Begin with some of what is due. False if there is nothing to begin with, or enough is under way."""
        self._tidy()
        holdings = {holding.source.name: holding for holding in self._holdings()}
        under_way = Counter(batch.source for batch in self._batches)
        free = [name for name in holdings if under_way[name] < self._size.of_a_source]
        if not free or len(self._batches) >= BATCHES_AT_ONCE:
            return False
        now = self._clock.now()
        async with self._database.connection() as connection:
            due = await self._take(connection, free, now, again_at=now + TAKEN_FOR, limit=self._size.batch)
        of_source: Mapping[str, list[T]] = defaultdict(list)
        for one in due:
            of_source[one.source].append(one)
        for name, some in of_source.items():
            self._batches.add(_Batch(name, asyncio.create_task(self._begin(holdings[name], some))))
        return bool(due)

    def _tidy(self) -> None:
        for batch in [batch for batch in self._batches if batch.task.done()]:
            self._batches.remove(batch)
            batch.task.result()

    async def _begin(self, holding: Holding, some: list[T]) -> None:
        """All of them, or as far as it gets before another process holds the source."""
        name = holding.source.name
        try:
            with telemetry.continuing(f"{self._what} of {name}", correlation=None, parent=None):
                await self._read(holding, some)
        except LeaseLost:
            telemetry.logger().info("lease_lost", duty=f"{self._what} of {name}")
        except Exception as error:
            if not is_transient(error):
                raise
            telemetry.logger().warning("backlog_waits", what=self._what, source=name, reason=repr(error))
