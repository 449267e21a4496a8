"""The duty that keeps all sources read: this process's share of them, so many at once, each when it is due."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from datetime import datetime, timedelta

from assent_common import metrics, telemetry
from assent_common.clock import Clock
from assent_common.database import Database, is_transient
from assent_common.health import Health
from assent_common.supervise import pause

from assent_sagemaker import metrics as own
from assent_sagemaker import sources_state
from assent_sagemaker.aws.account import Account
from assent_sagemaker.held import LeaseLost
from assent_sagemaker.roster import Roster
from assent_sagemaker.scheduling import leases, wakes
from assent_sagemaker.scheduling.agenda import Agenda
from assent_sagemaker.scheduling.holdings import BEAT_EVERY_S, Holdings
from assent_sagemaker.scheduling.troubles import COMPONENT, Troubles
from assent_sagemaker.sources import Source
from assent_sagemaker.sync.turn import Standing, Turn
from assent_sagemaker.writer import Holding

LOOK_EVERY_S = 1.0
WAIT_FOR_POSTGRES = timedelta(seconds=1)


class Scheduler:
    """Any number of processes may run one; they share the sources of their rosters."""

    def __init__(
        self,
        roster: Roster,
        account: Callable[[Source], Account],
        database: Database,
        health: Health,
        clock: Clock,
        *,
        syncs_at_once: int,
    ) -> None:
        self._roster = roster
        self._account = account
        self._database = database
        self._clock = clock
        self._troubles = Troubles(health)
        self._leases = Holdings(database)
        self._agenda = Agenda(syncs_at_once)
        self._holdings: dict[str, Holding] = {}
        self._standings: dict[str, Standing] = {}
        self._turns: dict[str, asyncio.Task[None]] = {}
        self._heeded: Mapping[str, Source] | None = None
        self._stirred = asyncio.Event()

    def holdings(self) -> Collection[Holding]:
        """What this process reads at the moment, and alone may write to."""
        return self._holdings.values()

    def wake(self, source: str) -> None:
        """Look at once whether there is something to do, if this process holds it; `wakes.wake` is for all of them."""
        self._agenda.want(source)
        self._stirred.set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Until `stopping`, whatever happens to AWS and the database meanwhile."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._every(BEAT_EVERY_S, self._share, stopping))
                tasks.create_task(self._every(LOOK_EVERY_S, self._look, stopping))
                tasks.create_task(self._take_turns(stopping))
        finally:
            await self._let_go(list(self._holdings))
            await self._leases.leave()

    async def _every(self, seconds: float, act: Callable[[], Awaitable[None]], stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            try:
                await act()
            except Exception as error:
                if not is_transient(error):
                    raise
                self._troubles.waits(f"postgres: {error!r}")
            await pause(stopping, seconds)
        self._stirred.set()

    async def _share(self) -> None:
        """Hold this process's share of the sources that there are by now."""
        if self._roster.now is not self._heeded:
            await self._heed_roster()
        changed = await self._leases.beat(self._roster.keys(), self._agenda.is_running)
        await self._let_go(changed.lost)
        await self._take_in([name for name in self._leases if name not in self._holdings])
        if not self._holdings:
            self._troubles.tell()

    async def _heed_roster(self) -> None:
        roster = self._roster.now
        async with self._database.connection() as connection:
            await sources_state.ensure(connection, roster.keys())
            await leases.open_(connection, roster.keys())
        dropped = [name for name in self._holdings if name not in roster]
        await self._let_go(dropped)
        await self._leases.give_up(dropped)
        now = self._clock.now()
        for name, holding in list(self._holdings.items()):
            source = roster[name]
            if source is not holding.source:
                self._holdings[name] = Holding(source, self._account(source), holding.held)
                self._standings[name].heed(source, now)
                self._put(name, now)
        for name in (self._heeded or {}).keys() - roster.keys():
            own.SEEN_UNTIL.remove(name)
        self._heeded = roster
        self._stirred.set()

    async def _take_in(self, gained: Collection[str]) -> None:
        if not gained:
            return
        async with self._database.connection() as connection:
            due = await sources_state.due(connection, gained)
        now = self._clock.now()
        for name in gained:
            source, held = self._roster.get(name), self._leases.of(name)
            if source is not None and held is not None:
                self._holdings[name] = Holding(source, self._account(source), held)
                self._standings[name] = Standing.of(source, due[name], now)
                # Told from here on: one that cannot be read any more shows after a restart, too.
                own.SEEN_UNTIL.labels(name).set((due[name].seen_until or now).timestamp())
                self._put(name, now)
        telemetry.logger().info("sources_taken", count=len(gained), held=len(self._holdings))
        self._stirred.set()

    async def _let_go(self, lost: Iterable[str]) -> None:
        """These are not this process's any more: what is under way in them ends without effect."""
        for name in list(lost):
            self._agenda.drop(name)
            self._standings.pop(name, None)
            self._holdings.pop(name, None)
            self._troubles.over(name)
            if (turn := self._turns.get(name)) is not None:
                turn.cancel()
                await asyncio.wait({turn})

    async def _look(self) -> None:
        async with self._database.connection() as connection:
            wanted = await wakes.wanted(connection, self._leases.reader)
        for name in wanted:
            self.wake(name)

    async def _take_turns(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            self._stirred.clear()
            now = self._clock.now()
            while (name := self._agenda.take(now)) is not None:
                self._turns[name] = asyncio.create_task(self._turn(name), name=f"source:{name}")
            await self._rest(now)

    async def _rest(self, since: datetime) -> None:
        """Until something is due that was not by then, or a turn has ended, or something is wanted.

        By the moment of the look: what comes due right after it would be taken for what has to wait for a free place.
        """
        next_due = self._agenda.next_due()
        wait_s = (next_due - since).total_seconds() if next_due else LOOK_EVERY_S
        try:
            async with asyncio.timeout(min(wait_s, LOOK_EVERY_S) if wait_s > 0 else LOOK_EVERY_S):
                await self._stirred.wait()
        except TimeoutError:
            pass

    async def _turn(self, name: str) -> None:
        """Whatever happens to one source happens to none of the others."""
        holding, standing = self._holdings[name], self._standings[name]
        not_before = datetime.min.replace(tzinfo=self._clock.now().tzinfo)
        try:
            await Turn(holding, standing, self._clock, self._troubles).take()
        except LeaseLost:
            telemetry.logger().warning("lease_lost", source=name)
            self._leases.forget([name])
            self._agenda.drop(name)
            self._standings.pop(name, None)
            self._holdings.pop(name, None)
        except Exception as error:  # noqa: BLE001 - the one place where a source's failure is caught, counted, retried
            if is_transient(error):
                self._troubles.waits(f"postgres: {error!r}")
                not_before = self._clock.now() + WAIT_FOR_POSTGRES
            else:
                metrics.TASK_FAILURES.labels(COMPONENT).inc()
                telemetry.logger().error("turn_failed", source=name, exc_info=error)
                self._troubles.has(name, repr(error))
                standing.failures += 1
                not_before = self._clock.now() + standing.backoff()
        finally:
            del self._turns[name]
            due_at, is_long = standing.due(self._clock.now())
            self._agenda.done(name, max(due_at, not_before), is_long=is_long)
            self._stirred.set()

    def _put(self, name: str, now: datetime) -> None:
        due_at, is_long = self._standings[name].due(now)
        self._agenda.put(name, due_at, is_long=is_long)
