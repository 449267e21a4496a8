"""The duty that brings SageMaker to say what was decided, in every source that this process holds."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import asyncpg
from assent_common import telemetry
from assent_common.clock import Clock
from assent_common.database import Database, is_transient
from assent_common.health import Health, State
from assent_common.supervise import pause

from assent_sagemaker import approvals, attempts
from assent_sagemaker.sync.observe import BATCH
from assent_sagemaker.writer import PREFIX, Holding, Writer

LOOK_EVERY_S = 0.5
SOURCES_AT_ONCE = 50


class _Working(NamedTuple):
    holding: Holding
    task: asyncio.Task[None]


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
        self._working: dict[str, _Working] = {}
        #: The holdings whose settings were heeded.
        self._heeded: Mapping[str, Holding] = {}

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
            tasks = [working.task for working in self._working.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self) -> None:
        """Begin with what is due, in sources that are not being worked on: a handful of statements for all of them."""
        held = {holding.source.name: holding for holding in self._holdings()}
        self._tidy(held)
        idle = held.keys() - self._working.keys()
        if not idle:
            return
        async with self._database.connection() as connection:
            await self._heed_settings(connection, held)
            await self._forgive(connection)
            if not await attempts.is_anything_due(connection, self._clock.now()):
                return
            changed = await approvals.due(connection, idle, BATCH)
            writable = [name for name in idle if held[name].source.write_back]
            due = await attempts.due(connection, writable, self._clock.now()) if writable else []
        # Who has waited longest comes first.
        for name in dict.fromkeys([row.source for row in changed] + [one.source for one in due if one.source]):
            if len(self._working) == SOURCES_AT_ONCE:
                return
            writer = Writer(held[name], self._database, self._health, self._clock, self._review_url)
            work = writer.work([r for r in changed if r.source == name], [w for w in due if w.source == name])
            self._working[name] = _Working(held[name], asyncio.create_task(work))

    def _tidy(self, held: Mapping[str, Holding]) -> None:
        """Another process may be writing by now to what this one does not hold any more."""
        for name, (holding, task) in list(self._working.items()):
            if task.done():
                del self._working[name]
                if not task.cancelled():
                    task.result()
            elif name not in held or held[name].held != holding.held:
                task.cancel()

    async def _heed_settings(self, connection: asyncpg.Connection, held: Mapping[str, Holding]) -> None:
        """What failed, or was answered, by other settings of a source is tried again by those of now."""
        changed = {
            name: holding.source.writing
            for name, holding in held.items()
            if (before := self._heeded.get(name)) is not holding and before != holding
        }
        if changed:
            await approvals.settings_changed(connection, changed)
            await attempts.settings_changed(connection, changed, self._clock.now())
        self._heeded = held

    async def _forgive(self, connection: asyncpg.Connection) -> None:
        """A source of which nothing is to be written any more does not fail at it."""
        failing = {name for name, component in self._health.components.items() if component.state is State.FAILING}
        sources = {name.removeprefix(PREFIX) for name in failing if name.startswith(PREFIX)}
        if sources:
            for source in sources - await attempts.pending(connection, sources):
                self._health.recovered(PREFIX + source)
