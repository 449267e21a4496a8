"""The duty that brings SageMaker to say what was decided, in every source that this process holds."""

import asyncio
from collections.abc import Callable, Iterable, Mapping

import asyncpg
from assent_common import telemetry
from assent_common.clock import Clock
from assent_common.database import Database, is_transient
from assent_common.health import Health
from assent_common.supervise import pause

from assent_sagemaker import approvals, attempts
from assent_sagemaker.sync.observe import BATCH
from assent_sagemaker.writer import Holding, Writer

LOOK_EVERY_S = 0.5
SOURCES_AT_ONCE = 50


class WriteBackDuty:
    """Looks for all sources at once, and works on each for itself: one that is slow or throttled holds up no other."""

    def __init__(
        self,
        holdings: Callable[[], Iterable[Holding]],
        database: Database,
        health: Health,
        clock: Clock,
        *,
        review_url: str | None = None,
    ) -> None:
        """`holdings` says which sources this process holds at the moment."""
        self._holdings = holdings
        self._database = database
        self._health = health
        self._clock = clock
        self._review_url = review_url
        self._working: dict[str, asyncio.Task[None]] = {}
        self._settings: dict[str, tuple[int, str]] = {}

    async def run(self, stopping: asyncio.Event) -> None:
        try:
            while not stopping.is_set():
                try:
                    await self._look()
                except Exception as error:
                    if not is_transient(error):
                        raise
                    telemetry.logger().warning("write_back_waits", reason=repr(error))
                await pause(stopping, LOOK_EVERY_S)
        finally:
            for task in self._working.values():
                task.cancel()
            await asyncio.gather(*self._working.values(), return_exceptions=True)

    async def _look(self) -> None:
        """Begin with what is due, in sources that are not being worked on: a handful of statements for all of them."""
        for name in [name for name, task in self._working.items() if task.done()]:
            self._working.pop(name).result()
        held = {holding.source.name: holding for holding in self._holdings()}
        idle = held.keys() - self._working.keys()
        if not idle:
            return
        async with self._database.connection() as connection:
            await self._heed_settings(connection, held)
            changed = await approvals.due(connection, idle, BATCH)
            writable = [name for name in idle if held[name].source.write_back]
            due = await attempts.due(connection, writable, self._clock.now())
        for name in sorted({row.source for row in changed} | {one.source for one in due if one.source}):
            if len(self._working) == SOURCES_AT_ONCE:
                return
            writer = Writer(held[name], self._database, self._health, self._clock, self._review_url)
            rows = [row for row in changed if row.source == name]
            work = writer.work(rows, [one for one in due if one.source == name])
            self._working[name] = asyncio.create_task(work)

    async def _heed_settings(self, connection: asyncpg.Connection, held: Mapping[str, Holding]) -> None:
        """What failed, or was answered, by other settings of a source is tried again by those of now."""
        stand = {name: (holding.held.fence, holding.source.writing) for name, holding in held.items()}
        changed = {name: settings for name, (_, settings) in stand.items() - self._settings.items()}
        if changed:
            await approvals.settings_changed(connection, changed)
            await attempts.settings_changed(connection, changed, self._clock.now())
        self._settings = stand
