"""One turn of reading a source: the one thing that is due there now, be it whole or what changed."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from assent_common import ids, service, telemetry
from assent_common.clock import Clock

from assent_sagemaker import approvals, metrics, runs, sources_state
from assent_sagemaker.aws.errors import AwsError
from assent_sagemaker.aws.traffic import counted
from assent_sagemaker.mapping.rules import rules
from assent_sagemaker.runs import Cause, Mode, Status, SyncRun
from assent_sagemaker.scheduling.troubles import Troubles
from assent_sagemaker.sources import Source
from assent_sagemaker.sources_state import Due
from assent_sagemaker.sync.completed import completed, failed
from assent_sagemaker.sync.full import full
from assent_sagemaker.sync.incremental import incremental
from assent_sagemaker.sync.plan import Plan, SearchUseless
from assent_sagemaker.sync.run import Run
from assent_sagemaker.writer import Holding

FIRST_RETRY = timedelta(seconds=2)
LONGEST_RETRY = timedelta(minutes=5)


@dataclass(slots=True)
class Standing:
    """How far reading a source has got, as this process remembers it while it holds the source."""

    read_as: str
    #: None: now.
    full_at: datetime | None
    poll_at: datetime | None
    #: Why the next full reading is to be.
    cause: Cause
    has_begun: bool = False
    failures: int = 0

    @classmethod
    def of(cls, source: Source, due: Due, now: datetime) -> "Standing":
        """As another process left it, or this one before. By other settings it is read anew, and by another release or
        other rules: these may see more in the same documents.

        Its clock may have been early: nothing waits longer than it would have to from now on.
        """
        read_as = cls.read_as_of(source)
        afresh = due.full_due_at is None or due.read_as != read_as
        standing = cls(
            read_as,
            None if afresh else due.full_due_at,
            # What was left in its middle is gone on with at once.
            None if due.is_interrupted else due.next_poll_at,
            Cause.START if afresh else Cause.RECONCILE,
        )
        standing.heed(source, now)
        return standing

    @staticmethod
    def read_as_of(source: Source) -> str:
        return f"{service.VERSION} {rules().digest} {source.reading}"

    def heed(self, source: Source, now: datetime) -> None:
        """Go on by these settings."""
        if (read_as := self.read_as_of(source)) != self.read_as:
            self.read_as, self.full_at, self.cause = read_as, None, Cause.START
            self.has_begun = False
        if self.full_at is not None:
            self.full_at = min(self.full_at, now + source.reconcile_interval)
        if self.poll_at is not None:
            self.poll_at = min(self.poll_at, now + source.poll_interval)

    def due(self, now: datetime) -> tuple[datetime, bool]:
        """When there is something to do, and whether that may take long."""
        full_at = self.full_at or now
        at = min(full_at, self.poll_at or now)
        return at, full_at <= at

    def backoff(self) -> timedelta:
        return min(FIRST_RETRY * (1 << min(self.failures, 16)), LONGEST_RETRY)


class Turn:
    def __init__(self, holding: Holding, standing: Standing, clock: Clock, troubles: Troubles) -> None:
        self._source = holding.source
        self._account = holding.account
        self._held = holding.held
        self._standing = standing
        self._clock = clock
        self._troubles = troubles

    async def take(self) -> None:
        """What was asked for goes first, whatever the time; else what is due. Raises LeaseLost."""
        standing = self._standing
        if not standing.has_begun:
            await self._begin()
        now = self._clock.now()
        async with self._held.database.connection() as connection:
            asked = await runs.outstanding(connection, self._source.name)
            stands = await sources_state.get(connection, self._source.name)
        if stands.plan is None:
            # There is nothing to go on from.
            standing.poll_at = standing.full_at
        if asked is not None and asked.mode == "full":
            await self._full(asked)
        elif standing.full_at is None or now >= standing.full_at:
            await self._full(self._record("full", standing.cause))
        elif stands.plan is not None and (asked or standing.poll_at is None or now >= standing.poll_at):
            run = asked or self._record("incremental", Cause.POLL)
            await self._incremental(run, Plan(stands.plan), stands.watermark)

    async def _begin(self) -> None:
        standing = self._standing
        async with self._held.transaction() as uow:
            connection = await uow.sql()
            await sources_state.begin(connection, self._source.name, standing.read_as)
            await approvals.watch_begins(connection, self._source)
        standing.has_begun = True

    async def _full(self, record: SyncRun) -> None:
        standing = self._standing
        run = await self._begun(record)
        if await self._read(run, lambda: full(run)):
            standing.full_at = self._clock.now() + self._source.reconcile_interval
            standing.cause = Cause.RECONCILE
        else:
            standing.full_at = self._clock.now() + standing.backoff()
        await self._set_next(run)

    async def _incremental(self, record: SyncRun, plan: Plan, since: datetime | None) -> None:
        run = await self._begun(record)

        async def read() -> None:
            try:
                await incremental(run, plan, since)
            except SearchUseless as error:
                # The next full run finds another way.
                self._standing.full_at = None
                run.has_seen = False
                run.note(str(error))

        await self._read(run, read)
        await self._set_next(run)

    async def _begun(self, record: SyncRun) -> Run:
        if record.has_a_row:
            async with self._held.transaction() as uow:
                connection = await uow.sql()
                record = await runs.start(connection, record, self._clock.now())
        return Run(
            *(record, self._source, self._account, self._held, self._clock),
            lambda: self._troubles.over(self._source.name),
            read_as=self._standing.read_as,
        )

    async def _read(self, run: Run, reading: Callable[[], Awaitable[str | None]]) -> bool:
        """One run in a span of its own, and what came of it. False if it failed."""
        record = run.record
        with telemetry.continuing(
            f"sync {self._source.name}", correlation=record.correlation_id, parent=record.traceparent
        ) as span:
            span.set_attributes({"assent.source": self._source.name, "assent.mode": record.mode})
            try:
                with counted(run.traffic):
                    reason = await reading()
                await completed(run, reason)
            except (AwsError, SearchUseless) as error:
                self._standing.failures += 1
                metrics.SYNCS.labels(record.mode, "failed").inc()
                await failed(run, str(error))
                self._troubles.has(self._source.name, str(error))
                telemetry.logger().warning("sync_failed", source=self._source.name, mode=record.mode, reason=str(error))
                return False
            self._standing.failures = 0
            self._troubles.over(self._source.name)
            metrics.SYNCS.labels(record.mode, "completed").inc()
            if run.has_seen:
                metrics.SEEN_UNTIL.labels(self._source.name).set(run.began_at.timestamp())
            counts = {name: count for name, count in run.counts.items() if count}
            quiet = record.mode == "incremental" and not (counts.get("changed") or counts.get("removed"))
            log = telemetry.logger().debug if quiet else telemetry.logger().info
            log("synced", source=self._source.name, mode=record.mode, plan=run.plan, **counts)
            return True

    def _record(self, mode: Mode, cause: Cause) -> SyncRun:
        now = self._clock.now()
        return SyncRun(
            *(
                ids.new(),
                self._source.name,
                mode,
                cause,
                Status.RUNNING,
                None,
                now,
                now,
                None,
                None,
                None,
                {},
                {},
                None,
            ),
            correlation_id=str(ids.new()),
            traceparent=None,
        )

    async def _set_next(self, run: Run) -> None:
        """Kept for whoever holds the source by then."""
        standing, now = self._standing, self._clock.now()
        took = now - run.taken_up_at
        backoff = standing.backoff() if standing.failures else timedelta(0)
        # What changes from now on is told within the interval, so the next one begins earlier by what it takes; but it
        # leaves as much time as it took to the reports that are outstanding.
        standing.poll_at = max(run.taken_up_at + self._source.poll_interval - took, now + max(took, backoff))
        async with self._held.transaction() as uow:
            await sources_state.next_(
                await uow.sql(), self._source.name, poll_at=standing.poll_at, full_at=standing.full_at
            )
