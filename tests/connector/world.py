"""A connector to test with: one source, read by its duty, by a clock that the test moves."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from assent_common import ids
from assent_common.clock import FrozenClock
from assent_common.database import Database
from assent_common.events import envelope
from assent_common.events.envelope import CloudEvent
from assent_common.events.registry import SyncCompleted
from assent_common.health import Health
from assent_sagemaker import outstanding_jobs, outstanding_lineages, outstanding_reports, runs
from assent_sagemaker.aws.account import Account
from assent_sagemaker.aws.clients import Clients
from assent_sagemaker.aws.limiter import Limiter
from assent_sagemaker.hints.looking import Looking
from assent_sagemaker.hints.receiving import Receiving
from assent_sagemaker.roster import Roster
from assent_sagemaker.runs import Cause, Status, SyncRun
from assent_sagemaker.scheduling.scheduler import Scheduler
from assent_sagemaker.sources import Source
from assent_sagemaker.writing import WriteBackDuty

from tests.support.wait import until

REGION = "eu-central-1"
OBSERVED = "assent.registry.model_version.observed.v1"
REMOVED = "assent.registry.model_version.removed.v1"
MODEL_OBSERVED = "assent.registry.model.observed.v1"
COMPLETED = "assent.registry.sync.completed.v1"
SPECIFICATION: dict[str, Any] = {
    "Containers": [{"Image": "registry.example.com/xgboost:1.7", "ModelDataUrl": "s3://models/model.tar.gz"}],
    "SupportedContentTypes": ["text/csv"],
    "SupportedResponseMIMETypes": ["text/csv"],
}


class Connector:
    """A running connector of one source."""

    def __init__(
        self, source: Source, scheduler: Scheduler, database: Database, clock: FrozenClock, health: Health
    ) -> None:
        self.source = source
        self.database = database
        self.clock = clock
        self.health = health
        self._scheduler = scheduler

    async def full(self) -> SyncRun:
        """A full sync, as asked for by hand; whichever way it ends."""
        run = SyncRun(
            id=ids.new(),
            source=self.source.name,
            mode="full",
            cause=Cause.REQUEST,
            status=Status.REQUESTED,
            requested_by="tests",
            requested_at=self.clock.now(),
            started_at=None,
            finished_at=None,
            plan=None,
            phase=None,
            counts={},
            traffic={},
            error=None,
            correlation_id="tests",
            traceparent=None,
        )
        async with self.database.connection() as connection:
            await runs.insert(connection, run)
        self._scheduler.wake(self.source.name)
        ended = await until(lambda: self._ended(run), within_s=60)
        assert ended is not None
        await self.at_rest()
        return ended

    async def first(self) -> SyncRun:
        """The sync at the start, with what is read beside it of how its versions were made."""

        async def ended() -> SyncRun | None:
            found = await self.runs()
            return found[0] if found and found[0].finished_at else None

        async def jobs_tried() -> bool:
            return not await self.rows("select from job_readings where due_at is not null and attempts = 0")

        run = await until(ended, within_s=60)
        assert run is not None
        await until(jobs_tried, within_s=60)
        await self.at_rest()
        return run

    async def at_rest(self) -> None:
        """What comes next is set after a run has ended, and by the clock of that moment: only then may it be moved."""
        await until(lambda: self.source.name not in self._scheduler._turns, within_s=60)

    async def poll(self) -> None:
        """The next poll, to its end."""
        self.clock.advance(self.source.poll_interval)
        self._scheduler.wake(self.source.name)
        await until(self._polled, within_s=60)

    async def wake(self) -> None:
        self._scheduler.wake(self.source.name)

    async def runs(self) -> list[SyncRun]:
        """The oldest first."""
        async with self.database.connection() as connection:
            found = await runs.newest(connection, source=None, status=None, before=None, limit=200)
        return found[::-1]

    async def events(self, type_: str | None = None) -> list[CloudEvent]:
        """Everything told so far, in order."""
        rows = await self.rows("select body from outbox order by id")
        told = [envelope.from_bytes(row["body"]) for row in rows]
        return [event for event in told if type_ in (None, event.type)]

    async def versions(self) -> dict[str, Any]:
        """Urn → the last record told, of the versions that are there."""
        versions: dict[str, Any] = {}
        for event in await self.events():
            if event.type == OBSERVED:
                versions[event.subject] = event.payload
            elif event.type == REMOVED:
                del versions[event.subject]
        return versions

    async def census(self) -> SyncCompleted:
        payload = (await self.events(COMPLETED))[-1].payload
        assert isinstance(payload, SyncCompleted)
        return payload

    async def rows(self, statement: str, *arguments: object) -> list[Any]:
        async with self.database.connection() as connection:
            found: list[Any] = await connection.fetch(statement, *arguments)
            return found

    async def _ended(self, run: SyncRun) -> SyncRun | None:
        async with self.database.connection() as connection:
            now = await runs.get(connection, run.id)
        assert now is not None
        return now if now.finished_at else None

    async def _polled(self) -> bool:
        row = (await self.rows("select last_synced_at, last_error_at, next_poll_at from sources"))[0]
        return self.clock.now() in (row["last_synced_at"], row["last_error_at"]) and row["next_poll_at"] > (
            self.clock.now()
        )


@asynccontextmanager
async def connected(
    database: Database,
    clock: FrozenClock,
    *,
    source: Source | None = None,
    others: Sequence[Source] = (),
    paced: bool = False,
    beside: bool = True,
) -> AsyncIterator[Connector]:
    """A connector that runs for as long as the block does. AWS is where its own settings say.

    `others` are sources of other processes; without what is read `beside` the runs, it only runs.
    """
    source = source or Source(name="demo", region=REGION)
    health = Health(clock)
    limiter = Limiter() if paced else Limiter(sleep=_at_once)
    async with Clients(clock) as clients:
        roster = Roster([source])

        def account(source: Source) -> Account:
            return Account.of(source, clients, limiter)

        scheduler = Scheduler(roster, account, database, health, clock, syncs_at_once=4)
        looking = Looking(scheduler.holdings, database, clock)
        duties = [
            scheduler.run,
            WriteBackDuty(scheduler.holdings, database, health, clock).run,
            Receiving(roster, account, database, health, clock, told=looking.told.set).run,
            looking.run,
        ]
        if beside:
            everything = Roster([source, *others])
            duties += [
                outstanding_reports.backlog(scheduler.holdings, database, clock).run,
                outstanding_jobs.backlog(scheduler.holdings, everything, database, clock).run,
                outstanding_lineages.backlog(scheduler.holdings, database, clock).run,
            ]
        stopping = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            for each in duties:
                tasks.create_task(_run(each, stopping))
            try:
                yield Connector(source, scheduler, database, clock, health)
            finally:
                stopping.set()


async def _run(duty: Any, stopping: asyncio.Event) -> None:
    await duty(stopping)


async def _at_once(_: float) -> None:
    """The simulator bears any number of calls."""


def now() -> FrozenClock:
    return FrozenClock(datetime(2026, 11, 24, 12, tzinfo=UTC))


async def register(sagemaker: Any, group: str, **given: Any) -> str:
    """One more version of the group, which is made if it is not there. Its ARN."""
    names = [
        g["ModelPackageGroupName"]
        for g in (await sagemaker.list_model_package_groups())["ModelPackageGroupSummaryList"]
    ]
    if group not in names:
        await sagemaker.create_model_package_group(ModelPackageGroupName=group)
    answer = await sagemaker.create_model_package(
        **{"ModelPackageGroupName": group, "InferenceSpecification": SPECIFICATION, **given}
    )
    return str(answer["ModelPackageArn"])


def metrics_at(uri: str) -> dict[str, Any]:
    return {"ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": uri}}}


def types(events: Sequence[CloudEvent]) -> list[str]:
    return [event.type.removeprefix("assent.registry.").removesuffix(".v1") for event in events]
