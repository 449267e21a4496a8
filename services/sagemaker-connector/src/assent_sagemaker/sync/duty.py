"""The duty of keeping one source read: who has its lease reads it whole, then what changes, again and again."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from assent_common import ids, telemetry
from assent_common.clock import Clock
from assent_common.database import Database, is_transient
from assent_common.health import Health
from assent_common.leases import Lease

from assent_sagemaker import approvals, held, metrics, runs, sources_state, state
from assent_sagemaker.aws.account import Account
from assent_sagemaker.aws.errors import AwsError
from assent_sagemaker.aws.traffic import counted
from assent_sagemaker.held import Held, LeaseLost
from assent_sagemaker.mapping.documents import ModelPackage
from assent_sagemaker.reports import Reader
from assent_sagemaker.runs import Cause, Mode, Status, SyncRun
from assent_sagemaker.sources import Source
from assent_sagemaker.sync.completed import completed, failed
from assent_sagemaker.sync.full import full
from assent_sagemaker.sync.incremental import LookBack, incremental
from assent_sagemaker.sync.observe import BATCH, Observer
from assent_sagemaker.sync.plan import Plan, SearchUseless
from assent_sagemaker.sync.run import Run

LOOK_EVERY_S = 1.0
FIRST_RETRY = timedelta(seconds=2)
LONGEST_RETRY = timedelta(minutes=5)


class SourceDuty:
    """Any number of processes may run it; one at a time reads the source."""

    def __init__(
        self, source: Source, account: Account, database: Database, health: Health, clock: Clock, *, ttl_s: float = 6.0
    ) -> None:
        self.source = source
        self.name = f"source:{source.name}"
        #: Set when there may be something to do before the next look.
        self.wanted = asyncio.Event()
        #: While this process is the one that reads the source, and writes to it.
        self.holding: Held | None = None
        self._account = account
        self._database = database
        self._health = health
        self._clock = clock
        self._lease = Lease(f"sync:{source.name}", ttl_s=ttl_s)
        self._reader = Reader(account)
        self._look_back = LookBack()
        self._failures = 0
        self._next_full: datetime | None = None
        self._next_poll: datetime | None = None
        self._cause = Cause.START
        health.starting(self.name)

    async def run(self, stopping: asyncio.Event) -> None:
        """Until `stopping`, whatever happens to AWS and the database meanwhile."""
        begun: int | None = None
        try:
            while not stopping.is_set():
                try:
                    self.holding = holding = await held.claim(self._database, self._lease)
                    if holding is None:
                        begun = None
                        # Another process reads it.
                        self._health.working(self.name)
                    else:
                        if begun != holding.fence:
                            await self._begin(holding)
                            begun = holding.fence
                        if await self._while_held(holding, stopping):
                            continue
                except LeaseLost:
                    telemetry.logger().warning("lease_lost", duty=self._lease.duty)
                    self.holding = begun = None
                except Exception as error:
                    if not is_transient(error):
                        raise
                    self.holding = None
                    self._health.failing(self.name, f"postgres: {error!r}")
                await self._rest(stopping)
        finally:
            await self._release()

    async def _begin(self, holding: Held) -> None:
        """What another one left begun is over, and what it had read is not taken for granted."""
        async with holding.transaction() as uow:
            connection = await uow.sql()
            await sources_state.ensure(connection, [self.source.name])
            await approvals.watch_begins(connection, self.source)
        self._next_full = self._clock.now()
        self._cause = Cause.START

    async def _while_held(self, holding: Held, stopping: asyncio.Event) -> bool:
        """Do what is due, as long as the lease can be renewed. False if nothing was."""
        working = asyncio.ensure_future(self._work(holding))
        keeping = asyncio.ensure_future(held.keep(self._database, self._lease, holding))
        stop = asyncio.ensure_future(stopping.wait())
        try:
            await asyncio.wait({working, keeping, stop}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return working.result()
            if keeping.done():
                keeping.result()
            return False
        finally:
            for task in (working, keeping, stop):
                task.cancel()
            await asyncio.gather(working, keeping, stop, return_exceptions=True)

    async def _work(self, holding: Held) -> bool:
        self.wanted.clear()
        now = self._clock.now()
        async with self._database.connection() as connection:
            asked = await runs.requested(connection, self.source.name)
            stands = await sources_state.get(connection, self.source.name)
        if asked is not None and asked.mode == "full":
            await self._full(holding, asked)
        elif self._next_full is None or now >= self._next_full:
            await self._full(holding, self._record("full", self._cause))
        elif stands.plan is not None and (asked or self._next_poll is None or now >= self._next_poll):
            since = self._look_back.since(stands.watermark, stands.watermark_at, now)
            await self._incremental(holding, asked or self._record("incremental", Cause.POLL), Plan(stands.plan), since)
        else:
            return await self._outstanding_reports(holding)
        return True

    async def _full(self, holding: Held, record: SyncRun) -> None:
        run = await self._begun(holding, record)
        if await self._read(run, lambda: full(run)):
            self._next_full = self._clock.now() + self.source.reconcile_interval
            self._cause = Cause.RECONCILE
        else:
            self._next_full = self._clock.now() + self._backoff()

    async def _incremental(self, holding: Held, record: SyncRun, plan: Plan, since: datetime | None) -> None:
        run = await self._begun(holding, record)

        async def read() -> None:
            try:
                await incremental(run, plan, since)
            except SearchUseless as error:
                # The next full run finds another way.
                self._next_full = self._clock.now()
                run.note(str(error))

        await self._read(run, read)

    async def _begun(self, holding: Held, record: SyncRun) -> Run:
        if record.has_a_row:
            async with holding.transaction() as uow:
                connection = await uow.sql()
                await runs.interrupt(connection, self.source.name, self._clock.now())
                record = await runs.start(connection, record, self._clock.now())
        return self._run(record, holding)

    async def _read(self, run: Run, reading: Callable[[], Awaitable[str | None]]) -> bool:
        """One run in a span of its own, and what came of it. False if it failed."""
        record = run.record
        with telemetry.continuing(
            f"sync {self.source.name}", correlation=record.correlation_id, parent=record.traceparent
        ) as span:
            span.set_attributes({"assent.source": self.source.name, "assent.mode": record.mode})
            try:
                with counted(run.traffic):
                    reason = await reading()
                await completed(run, reason)
            except (AwsError, SearchUseless) as error:
                self._failures += 1
                metrics.SYNCS.labels(record.mode, "failed").inc()
                await failed(run, str(error))
                await self._set_next_poll(run)
                self._health.failing(self.name, str(error))
                telemetry.logger().warning("sync_failed", source=self.source.name, mode=record.mode, reason=str(error))
                return False
            self._failures = 0
            await self._set_next_poll(run)
            self._health.working(self.name)
            metrics.SYNCS.labels(record.mode, "completed").inc()
            metrics.SEEN_UNTIL.labels(self.source.name).set(run.began_at.timestamp())
            counts = {name: count for name, count in run.counts.items() if count}
            quiet = record.mode == "incremental" and not (counts.get("changed") or counts.get("removed"))
            log = telemetry.logger().debug if quiet else telemetry.logger().info
            log("synced", source=self.source.name, mode=record.mode, plan=run.plan, **counts)
            return True

    async def _outstanding_reports(self, holding: Held) -> bool:
        """Reports that could not be read, or were not read yet. False if none are due."""
        async with self._database.connection() as connection:
            due = await state.reports_due(connection, self.source.name, self._clock.now(), BATCH)
        if not due:
            return False
        with telemetry.continuing(f"reports of {self.source.name}", correlation=None, parent=None):
            found = await asyncio.gather(*(self._reader.read(ModelPackage.from_document(k.document)) for k in due))
            observer = Observer(
                *(self.source.name, self._database, holding.transaction, self._reader, self._clock), reports_at_once=0
            )
            await observer.again(due, {known.key: outcomes for known, outcomes in zip(due, found, strict=True)})
        return True

    def _record(self, mode: Mode, cause: Cause) -> SyncRun:
        now = self._clock.now()
        return SyncRun(
            *(ids.new(), self.source.name, mode, cause, Status.RUNNING, None, now, now, None, None, None, {}, {}, None),
            correlation_id=str(ids.new()),
            traceparent=None,
        )

    def _run(self, record: SyncRun, holding: Held) -> Run:
        return Run(record, self.source, self._account, holding, self._clock, lambda: self._health.working(self.name))

    async def _set_next_poll(self, run: Run) -> None:
        now = self._clock.now()
        # At least as long as this one took, so that outstanding reports get their share of the time.
        took = now - run.began_at
        self._next_poll = now + max(
            self.source.poll_interval, took, self._backoff() if self._failures else timedelta(0)
        )
        async with run.held.transaction() as uow:
            await sources_state.next_poll(await uow.sql(), self.source.name, self._next_poll)

    def _backoff(self) -> timedelta:
        return min(FIRST_RETRY * (1 << min(self._failures, 16)), LONGEST_RETRY)

    async def _rest(self, stopping: asyncio.Event) -> None:
        """Until something is wanted, or for a second: another process may want something, too."""
        wanted = asyncio.create_task(self.wanted.wait())
        stop = asyncio.create_task(stopping.wait())
        try:
            await asyncio.wait({wanted, stop}, timeout=LOOK_EVERY_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            wanted.cancel()
            stop.cancel()

    async def _release(self) -> None:
        self.holding = None
        try:
            async with asyncio.timeout(2), self._database.connection() as connection:
                await self._lease.release(connection)
        except Exception as error:
            if not is_transient(error):
                raise
            telemetry.logger().info("lease_not_released", reason=repr(error))
