"""The duty that reads the reports that are due, in every source that this process holds: those that a run did not wait
for, those that could not be read, and those of which it is time to see whether they are still the same.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import NamedTuple

from assent_common import telemetry
from assent_common.clock import Clock
from assent_common.database import Database, is_transient
from assent_common.supervise import pause

from assent_sagemaker import state
from assent_sagemaker.held import LeaseLost
from assent_sagemaker.mapping.documents import ModelPackage
from assent_sagemaker.reading import SOON_S, Reader
from assent_sagemaker.sync.observe import BATCH, Observer
from assent_sagemaker.writer import Holding

LOOK_EVERY_S = 0.5
BATCHES_AT_ONCE = 8
BATCHES_OF_A_SOURCE = 3
"""At once. Where S3 is dead, a batch takes as long as it may, and the other sources go on beside it."""

TAKEN_FOR = timedelta(minutes=10)
"""Longer than a batch takes: so late it is due again if it came to nothing."""


class _Batch(NamedTuple):
    source: str
    task: asyncio.Task[None]


class OutstandingReportsDuty:
    """Looks for all sources at once, beside their runs; takes no more than it can read."""

    def __init__(self, holdings: Callable[[], Iterable[Holding]], database: Database, clock: Clock) -> None:
        """`holdings` says which sources this process holds at the moment."""
        self._holdings = holdings
        self._database = database
        self._clock = clock
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
                    telemetry.logger().warning("reports_wait", reason=repr(error))
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
        free = [name for name in holdings if under_way[name] < BATCHES_OF_A_SOURCE]
        if not free or len(self._batches) >= BATCHES_AT_ONCE:
            return False
        now = self._clock.now()
        async with self._database.connection() as connection:
            due = await state.take_reports_due(connection, free, now, again_at=now + TAKEN_FOR, limit=BATCH)
        of_source: Mapping[str, list[state.Known]] = defaultdict(list)
        for known in due:
            of_source[known.source].append(known)
        for name, versions in of_source.items():
            self._batches.add(_Batch(name, asyncio.create_task(self._read(holdings[name], versions))))
        return bool(due)

    def _tidy(self) -> None:
        for batch in [batch for batch in self._batches if batch.task.done()]:
            self._batches.remove(batch)
            batch.task.result()

    async def _read(self, holding: Holding, versions: list[state.Known]) -> None:
        """All of them, or as far as it gets before another process holds the source."""
        name = holding.source.name
        try:
            with telemetry.continuing(f"reports of {name}", correlation=None, parent=None):
                await self._read_and_tell(holding, versions)
        except LeaseLost:
            telemetry.logger().info("lease_lost", duty=f"reports of {name}")
        except Exception as error:
            if not is_transient(error):
                raise
            telemetry.logger().warning("reports_wait", source=name, reason=repr(error))

    async def _read_and_tell(self, holding: Holding, versions: list[state.Known]) -> None:
        reader = Reader(holding.account)
        observer = Observer(holding.source.name, self._database, holding.held.transaction, reader, self._clock)
        reading = {
            asyncio.create_task(reader.read(ModelPackage.from_document(known.document), known.reports)): known
            for known in versions
        }
        try:
            while reading:
                # Those that S3 keeps waiting do not hold up the others.
                done, _ = await asyncio.wait(reading, timeout=SOON_S)
                found = {reading.pop(task).key: task.result() for task in done}
                await observer.again([known for known in versions if known.key in found], found)
        finally:
            for task in reading:
                task.cancel()
