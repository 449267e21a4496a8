"""The duty that looks at what events named, in every source that this process holds, beside its other readings.

A full reading of the same source does not hold it up: both write under the source's fence, and a record that is older
than what is kept changes nothing.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence

from assent_common import ids, telemetry
from assent_common.clock import Clock
from assent_common.database import Database, is_transient

from assent_sagemaker import arns, metrics, training_jobs
from assent_sagemaker.aws.errors import AwsError
from assent_sagemaker.aws.urgency import Urgency, urgent
from assent_sagemaker.held import LeaseLost
from assent_sagemaker.hints import store
from assent_sagemaker.hints.reading import Kind
from assent_sagemaker.hints.store import Due
from assent_sagemaker.runs import Cause, Status, SyncRun
from assent_sagemaker.sync import deployments, describe, listing
from assent_sagemaker.sync.listing import Listed
from assent_sagemaker.sync.run import Run
from assent_sagemaker.writer import Holding

LOOK_EVERY_S = 0.5
MOST_ATTEMPTS = 5
"""So often something that "does not exist" is asked for: just after an event it may still come to be."""
NOT_THERE = "it does not exist (yet)"


class Looking:
    def __init__(self, holdings: Callable[[], Iterable[Holding]], database: Database, clock: Clock) -> None:
        self._holdings = holdings
        self._database = database
        self._clock = clock
        self._working: dict[str, asyncio.Task[None]] = {}
        #: Set when there is something to look at before the next look.
        self.told = asyncio.Event()

    async def run(self, stopping: asyncio.Event) -> None:
        stop = asyncio.create_task(stopping.wait())
        try:
            while not stopping.is_set():
                self.told.clear()
                try:
                    await self._look()
                except Exception as error:
                    if not is_transient(error):
                        raise
                    telemetry.logger().warning("hints_wait", reason=repr(error))
                await self._rest(stop)
        finally:
            stop.cancel()
            for task in self._working.values():
                task.cancel()
            await asyncio.gather(*self._working.values(), return_exceptions=True)

    async def _rest(self, stop: asyncio.Task[bool]) -> None:
        told = asyncio.create_task(self.told.wait())
        await asyncio.wait(
            {told, stop, *self._working.values()}, timeout=LOOK_EVERY_S, return_when=asyncio.FIRST_COMPLETED
        )
        told.cancel()

    async def _look(self) -> None:
        """Begin with what is due, in sources where nothing is being looked at."""
        for name, task in list(self._working.items()):
            if task.done():
                del self._working[name]
                task.result()
        idle = {h.source.name: h for h in self._holdings() if h.source.name not in self._working}
        if not idle:
            return
        async with self._database.connection() as connection:
            due = await store.due(connection, idle.keys(), self._clock.now())
        for name in dict.fromkeys(one.pointer.source for one in due):
            mine = [one for one in due if one.pointer.source == name]
            self._working[name] = asyncio.create_task(self._work_off(idle[name], mine))

    async def _work_off(self, holding: Holding, due: Sequence[Due]) -> None:
        name = holding.source.name
        try:
            with urgent(Urgency.EVENT), telemetry.continuing(f"hints of {name}", correlation=None, parent=None):
                there = await look(holding, due, self._clock)
        except LeaseLost:
            return
        except AwsError as error:
            telemetry.logger().warning("hints_not_looked_at", source=name, reason=str(error))
            async with self._database.transaction() as uow:
                await store.later(await uow.sql(), due, self._clock.now(), str(error))
            return
        except Exception as error:
            if not is_transient(error):
                raise
            telemetry.logger().warning("hints_wait", source=name, reason=repr(error))
            return
        await self._end(
            [one for one in due if one.pointer.ref in there], [o for o in due if o.pointer.ref not in there]
        )

    async def _end(self, seen: Sequence[Due], missing: Sequence[Due]) -> None:
        """What was missing often enough is gone: the listings will tell."""
        given_up = [one for one in missing if one.attempts + 1 >= MOST_ATTEMPTS]
        again = [one for one in missing if one.attempts + 1 < MOST_ATTEMPTS]
        async with self._database.transaction() as uow:
            connection = await uow.sql()
            now = self._clock.now()
            await store.seen(connection, [one.pointer for one in seen])
            await store.later(connection, again, now, NOT_THERE)
            await store.fail(connection, [one.pointer for one in given_up], now, NOT_THERE)
        metrics.HINTS.labels("looked_at").inc(len(seen))
        metrics.HINTS.labels("failed").inc(len(given_up))


async def look(holding: Holding, due: Sequence[Due], clock: Clock) -> set[str]:
    """Read what these name, and keep it. The refs of those that are there, or are none of the source's concern."""
    now = clock.now()
    record = SyncRun(
        id=ids.new(),
        source=holding.source.name,
        mode="incremental",
        cause=Cause.EVENT,
        status=Status.RUNNING,
        requested_by=None,
        requested_at=now,
        started_at=now,
        finished_at=None,
        plan=None,
        phase=None,
        counts={},
        traffic={},
        error=None,
        correlation_id=telemetry.correlation_id(),
        traceparent=None,
    )
    run = Run(record, holding.source, holding.account, holding.held, clock, lambda: None, read_as="")
    by_kind = {kind: [one.pointer.ref for one in due if one.pointer.kind == kind] for kind in Kind}
    packages = [ref for ref in by_kind[Kind.PACKAGE] if listing.wants(run, ref)]
    found = await describe.packages(run, [Listed(ref, ref, "", now) for ref in packages])
    there = {ref for ref in by_kind[Kind.PACKAGE] if ref not in packages or arns.key(ref) in found}
    groups = [ref for ref in by_kind[Kind.GROUP] if run.source.wants(ref.rpartition("/")[2])]
    await describe.groups(
        run, [Listed(ref if ref.startswith("arn:") else "", ref.rpartition("/")[2], "", now) for ref in groups]
    )
    await deployments.endpoints(run, {ref.rpartition("/")[2] for ref in by_kind[Kind.ENDPOINT]})
    if jobs := by_kind[Kind.TRAINING_JOB]:
        async with run.transaction() as uow:
            await training_jobs.hasten(await uow.sql(), run.source.name, [arns.key(ref) for ref in jobs], now)
    return there | {*by_kind[Kind.GROUP], *by_kind[Kind.ENDPOINT], *jobs}
