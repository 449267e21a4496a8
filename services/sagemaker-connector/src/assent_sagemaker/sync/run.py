"""One reading of one source as it goes on: what it works with, and what it has got through."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import TypeVar

from assent_common import telemetry
from assent_common.clock import Clock
from assent_common.uow import UnitOfWork

from assent_sagemaker import runs
from assent_sagemaker.aws.account import Account
from assent_sagemaker.aws.errors import TokenExpired
from assent_sagemaker.aws.traffic import Traffic
from assent_sagemaker.held import Held
from assent_sagemaker.reading import Reader
from assent_sagemaker.runs import SyncRun
from assent_sagemaker.sources import Source
from assent_sagemaker.sync.observe import Observer
from assent_sagemaker.sync.progress import Progress

T = TypeVar("T")

RESTARTS = 5
"""How often in one run a list may be begun again because its page token ran out."""

DESCRIBED_AT_ONCE = 16

SHOWN_EVERY = timedelta(seconds=1)


class Run:
    def __init__(
        self,
        record: SyncRun,
        source: Source,
        account: Account,
        held: Held,
        clock: Clock,
        heard: Callable[[], None],
        *,
        read_as: str,
    ) -> None:
        """`heard` is called when the source has answered for the first time. A run that was left in its middle is taken
        up where it was left, unless what it read was `read_as` something else."""
        self.record = record
        self.source = source
        self.account = account
        self.held = held
        self.clock = clock
        self.heard = heard
        self.counts = Counter(record.counts)
        self.traffic = Traffic.read(record.traffic)
        self.progress = Progress.left(record.progress, read_as)
        self.plan = record.plan
        self.phase = ""
        #: Whether it has seen all that it was to see: a poll without its Search has seen nothing.
        self.has_seen = True
        self.taken_up_at = clock.now()
        self.observer = Observer(
            source.name,
            held.database,
            self.transaction,
            Reader(account),
            clock,
            counts=self.counts,
        )
        self._restarts = RESTARTS
        self._shown_at = self.taken_up_at

    @property
    def began_at(self) -> datetime:
        return self.record.started_at or self.record.requested_at

    @property
    def notes(self) -> Sequence[str]:
        return self.progress.notes

    @property
    def watermark(self) -> datetime | None:
        return self.progress.watermark

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[UnitOfWork]:
        """Under the source's lease, with the progress so far; when there is room for it. None begins within another."""
        async with self.held.room.keeping, self.held.transaction() as uow:
            yield uow
            if self.record.has_a_row:
                await runs.progress(
                    *(await uow.sql(), self.record.id, self.plan, self.phase, self.counts, self.traffic),
                    self.progress.model_dump_json(),
                )

    async def listed(self, more: int) -> None:
        """So many more are there; a long listing shows that it gets on."""
        self.counts["listed"] += more
        if self.record.has_a_row and self.clock.now() - self._shown_at >= SHOWN_EVERY:
            self._shown_at = self.clock.now()
            await self.enter(self.phase)

    async def enter(self, phase: str) -> None:
        self.phase = phase
        async with self.transaction():
            pass

    async def from_the_start_if_expired(self, read: Callable[[], Awaitable[T]]) -> T:
        """What `read` gives, begun again when a page token ran out on its way. Raises TokenExpired in the end."""
        while True:
            try:
                return await read()
            except TokenExpired as error:
                if not self._restarts:
                    raise
                self._restarts -= 1
                telemetry.logger().info("listing_begun_again", source=self.source.name, reason=str(error))

    def note(self, text: str) -> None:
        """Something that could not be read, though the run goes on: said on `/v1/sources`."""
        if text not in self.progress.notes:
            self.progress.notes.append(text)

    def saw(self, *moments: datetime | None) -> None:
        """The newest change by the source's own clock, from where the next poll goes on."""
        self.progress.watermark = max((m for m in (self.watermark, *moments) if m is not None), default=None)


async def in_parallel(reading: Callable[[str], Awaitable[T]], names: list[str]) -> list[T]:
    """Each name read, a few at a time, in the order of the names. The first failure ends all."""
    slots = asyncio.Semaphore(DESCRIBED_AT_ONCE)

    async def one(name: str) -> T:
        async with slots:
            return await reading(name)

    try:
        async with asyncio.TaskGroup() as tasks:
            reads = [tasks.create_task(one(name)) for name in names]
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from group
    return [read.result() for read in reads]
