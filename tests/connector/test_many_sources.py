"""Many sources and several processes that share them: each source is one process's, and what fails holds up nobody."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any

import psutil
import pytest
from assent_common.clock import Clock, FrozenClock
from assent_common.database import Database
from assent_common.health import Health
from assent_local.simulator import Simulator
from assent_sagemaker import metrics
from assent_sagemaker.aws.account import Account
from assent_sagemaker.aws.clients import Clients
from assent_sagemaker.aws.limiter import Limiter
from assent_sagemaker.dropped import Dropping
from assent_sagemaker.roster import Roster
from assent_sagemaker.scheduling import leases, wakes
from assent_sagemaker.scheduling.holdings import Holdings
from assent_sagemaker.scheduling.scheduler import Scheduler
from assent_sagemaker.sources import Source
from assent_sagemaker.sync.turn import Standing
from sqlalchemy import event

from tests.connector import world
from tests.connector.conftest import Connect
from tests.connector.world import COMPLETED, REMOVED, Connector, register
from tests.support.wait import until

KEEP = timedelta(days=7)
READ = "select from sources where full_due_at is not null"


class Process:
    """One of those that share the sources."""

    def __init__(self, scheduler: Scheduler, roster: Roster, health: Health) -> None:
        self.scheduler = scheduler
        self.roster = roster
        self.health = health

    @property
    def held(self) -> set[str]:
        return {holding.source.name for holding in self.scheduler.holdings()}


@asynccontextmanager
async def a_process(
    database: Database, clock: Clock, sources: Sequence[Source], *, at_once: int = 4
) -> AsyncIterator[Process]:
    roster, health, stopping = Roster(sources), Health(clock), asyncio.Event()
    limiter = Limiter(sleep=_at_once)
    async with Clients(clock) as clients, asyncio.TaskGroup() as tasks:
        scheduler = Scheduler(
            roster,
            lambda source: Account.of(source, clients, limiter),
            *(database, health, clock),
            syncs_at_once=at_once,
        )
        tasks.create_task(scheduler.run(stopping))
        try:
            yield Process(scheduler, roster, health)
        finally:
            stopping.set()


async def _at_once(_: float) -> None:
    await asyncio.sleep(0)


def some(count: int, **settings: Any) -> list[Source]:
    return [Source(**{"name": f"s-{n:05}", "region": world.REGION, **settings}) for n in range(count)]


async def read_lately(database: Database, clock: Clock, sources: Sequence[Source]) -> None:
    """As another process left them: there is nothing to do for an hour."""
    later = clock.now() + timedelta(hours=1)
    async with database.connection() as connection:
        await connection.execute(
            "insert into sources (name, plan, full_due_at, next_poll_at, read_as) "
            "select name, 'search', $3, $3, read_as from unnest($1::text[], $2::text[]) as s(name, read_as)",
            [source.name for source in sources],
            [Standing.read_as_of(source) for source in sources],
            later,
        )


async def rows(database: Database, statement: str, *arguments: object) -> list[Any]:
    async with database.connection() as connection:
        found: list[Any] = await connection.fetch(statement, *arguments)
        return found


async def test_fifteen_thousand_sources_cost_next_to_nothing_while_none_is_due(
    store: Database, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = [
        Source(name=f"s-{n:05}", region="eu-central-1", role_arn=f"arn:aws:iam::{n % 1000:012}:role/reader")
        for n in range(15_000)
    ]
    await read_lately(store, clock, sources)
    statements: list[str] = []

    def count(connection: Any, _: Any) -> None:
        connection.driver_connection.add_query_logger(lambda ran: statements.append(ran.query.strip()))

    event.listen(store.engine.sync_engine, "connect", count)
    await store.engine.dispose()
    before, began = psutil.Process().memory_info().rss, time.process_time()
    async with a_process(store, clock, sources, at_once=32) as process:
        await until(lambda: len(process.held) == 15_000, within_s=60)
        assert time.process_time() - began < 10
        grown_mb = (psutil.Process().memory_info().rss - before) / 1024**2
        statements.clear()
        began, looked = time.monotonic(), len(statements)
        await until(lambda: sum("woken" in statement for statement in statements) >= 4, within_s=20)
        own = [s for s in statements[looked:] if s not in ("BEGIN;", "ROLLBACK;", ";")]
        a_second = len(own) / (time.monotonic() - began)
    assert a_second < 5
    assert grown_mb < 100


async def test_processes_share_fairly_and_a_newcomer_gets_its_share_in_seconds(
    store: Database, clock: FrozenClock
) -> None:
    sources = some(100)
    await read_lately(store, clock, sources)
    async with a_process(store, clock, sources) as first:
        await until(lambda: len(first.held) == 100, within_s=10)
        async with a_process(store, clock, sources) as second:
            await until(lambda: (len(first.held), len(second.held)) == (50, 50), within_s=10)
            async with a_process(store, clock, sources) as third:
                await until(
                    lambda: sorted(map(len, (first.held, second.held, third.held))) == [32, 34, 34], within_s=15
                )
                assert not first.held & second.held
                assert len(first.held | second.held | third.held) == 100
            await until(lambda: (len(first.held), len(second.held)) == (50, 50), within_s=10)
        await until(lambda: len(first.held) == 100, within_s=5)


async def test_a_source_is_read_by_one_process_and_by_the_next_as_soon_as_that_stops(
    simulator: Simulator, sagemaker: Any, store: Database, clock: FrozenClock
) -> None:
    await register(sagemaker, "churn")
    (source,) = sources = some(1)
    async with AsyncExitStack() as stopping:
        first = await stopping.enter_async_context(a_process(store, clock, sources))
        await until(lambda: rows(store, READ), within_s=20)
        async with a_process(store, clock, sources) as second:
            assert (first.held, second.held) == ({source.name}, set())
            began = time.monotonic()
            await stopping.aclose()
            await until(lambda: second.held == {source.name}, within_s=10)
            assert time.monotonic() - began < 6
    assert len(await rows(store, "select from sync_runs where mode = 'full'")) == 1, "it goes on where the first stood"
    told = await rows(store, "select count(*) as n from outbox group by key")
    assert [row["n"] for row in told] == [1, 1, 1]


async def test_what_changed_meanwhile_is_seen_at_once_after_a_restart_and_by_a_poll(
    simulator: Simulator, sagemaker: Any, store: Database, clock: FrozenClock
) -> None:
    await register(sagemaker, "churn")
    sources = some(1)
    async with a_process(store, clock, sources):
        await until(lambda: rows(store, READ), within_s=20)
    urn = await register(sagemaker, "churn")
    clock.advance(timedelta(minutes=5))
    async with a_process(store, clock, sources):
        await until(lambda: rows(store, "select from records where urn = $1", urn), within_s=20)
    assert len(await rows(store, "select from sync_runs where mode = 'full'")) == 1


@pytest.mark.parametrize("why", ["a new release", "other globs"])
async def test_it_is_read_whole_again_after(
    why: str, simulator: Simulator, sagemaker: Any, store: Database, clock: FrozenClock
) -> None:
    await register(sagemaker, "churn")
    (source,) = some(1)
    async with a_process(store, clock, [source]):
        await until(lambda: rows(store, READ), within_s=20)
    if why == "a new release":
        await rows(store, "update sources set read_as = 'older'")
    else:
        source = source.model_copy(update={"include": ("churn", "credit-*")})
    async with a_process(store, clock, [source]):
        wholes = "select status, cause from sync_runs where mode = 'full' and finished_at is not null"
        found = await until(lambda: _two(store, wholes), within_s=20)
    assert {row["cause"] for row in found} == {"start"}


async def _two(store: Database, statement: str) -> list[Any]:
    found = await rows(store, statement)
    return found if len(found) == 2 else []


async def test_a_source_that_fails_holds_nobody_back_and_is_named(
    simulator: Simulator, sagemaker: Any, store: Database, clock: FrozenClock
) -> None:
    await register(sagemaker, "churn")
    role = "arn:aws:iam::111122223333:role/assent-reader"
    simulator.dial(external_ids={role: "the-right-one"})
    failing = some(30, role_arn=role, external_id="a-wrong-one")
    good = Source(name="the-good-one", region=world.REGION)
    async with a_process(store, clock, [*failing, good], at_once=2) as process:
        await until(
            lambda: rows(store, "select from sources where name = $1 and last_full_at is not null", good.name),
            within_s=20,
        )
        assert process.health.components["sources"].state == "failing"
        detail = process.health.components["sources"].detail
        assert detail is not None
        assert "s-00" in detail
        assert "AccessDenied" in detail
        await until(lambda: _failed(store, 30), within_s=20)


async def test_how_stale_a_source_is_shows_after_a_restart_though_it_cannot_be_read(
    simulator: Simulator, sagemaker: Any, store: Database, clock: FrozenClock
) -> None:
    (source,), (new,) = some(1), some(1, name="new")
    async with a_process(store, clock, [source]):
        await until(lambda: rows(store, "select from sources where seen_until is not null"), within_s=60)
    read_at = clock.now()
    metrics.SEEN_UNTIL.clear()  # as in a process that has just begun
    simulator.dial(denied=["Search", "ListModelPackageGroups", "ListModelPackages"])
    clock.advance(timedelta(hours=3))
    async with a_process(store, clock, [source, new]) as process:
        begun_at = clock.now()
        await until(lambda: _failed(store, 2), within_s=60)
        assert _told() == {source.name: read_at.timestamp(), "new": begun_at.timestamp()}
        # One that is in the file no more is nothing to be alarmed about.
        process.roster.replace([new])
        await until(lambda: set(_told()) == {"new"}, within_s=60)


async def test_a_poll_without_its_search_has_seen_nothing(
    simulator: Simulator, connect: Connect, clock: FrozenClock
) -> None:
    metrics.SEEN_UNTIL.clear()
    connector = await connect()
    (before,) = await connector.rows("select seen_until from sources")
    simulator.dial(denied=["Search", "ListModelPackageGroups", "ListModelPackages"])
    for _ in range(3):
        await connector.poll()
        await until(lambda: connector.rows("select from sources where last_error is not null"), within_s=60)
    assert await connector.rows("select seen_until from sources") == [before]
    assert _told() == {connector.source.name: before["seen_until"].timestamp()}


def _told() -> dict[str, float]:
    (family,) = metrics.SEEN_UNTIL.collect()
    return {sample.labels["source"]: sample.value for sample in family.samples}


async def _failed(store: Database, count: int) -> bool:
    return len(await rows(store, "select from sources where last_error is not null")) == count


async def test_who_holds_a_source_looks_when_another_process_wakes_it(
    simulator: Simulator, sagemaker: Any, store: Database, clock: FrozenClock
) -> None:
    sources = some(2)
    await read_lately(store, clock, sources)
    async with a_process(store, clock, sources) as first, a_process(store, clock, sources) as second:
        await until(lambda: (len(first.held), len(second.held)) == (1, 1), within_s=10)
        async with store.connection() as connection:
            await wakes.wake(connection, [source.name for source in sources])
            await wakes.wake(connection, [source.name for source in sources])
        await until(lambda: _none(store, "select from wakes"), within_s=3)


async def _none(store: Database, statement: str) -> bool:
    return not await rows(store, statement)


async def test_a_roster_that_changes_is_heeded_without_a_restart(
    simulator: Simulator, sagemaker: Any, store: Database, clock: FrozenClock
) -> None:
    churn, credit = await register(sagemaker, "churn"), await register(sagemaker, "credit")
    one = Source(name="one", region=world.REGION, include=("churn",))
    two = Source(name="two", region=world.REGION, include=("credit",))
    async with a_process(store, clock, [one]) as process:
        await until(lambda: rows(store, "select from records where urn = $1", churn), within_s=20)
        process.roster.replace([one, two])
        await until(lambda: rows(store, "select from records where urn = $1 and source = 'two'", credit), within_s=20)
        fraud = await register(sagemaker, "fraud")
        process.roster.replace([one, two.model_copy(update={"include": ("credit", "fraud")})])
        await until(lambda: rows(store, "select from records where urn = $1 and source = 'two'", fraud), within_s=20)
        process.roster.replace([one])
        await until(lambda: process.held == {"one"}, within_s=10)
        (lease,) = await rows(store, "select * from source_leases where source = 'two'")
        assert lease["holder"] is None


@pytest.fixture
async def dropped(
    simulator: Simulator, sagemaker: Any, store: Database, clock: FrozenClock
) -> tuple[Connector, Dropping, Health]:
    """A source with a model and three versions that was read, and is in no file any more."""
    for _ in range(3):
        await register(sagemaker, "churn")
    async with world.connected(store, clock, source=Source(name="gone", region=world.REGION)) as connector:
        await connector.first()
    health = Health(clock)
    dropping = Dropping({}, store, health, clock, keep=KEEP)
    await dropping.look()
    return connector, dropping, health


async def test_what_a_dropped_source_had_is_kept_for_a_while_and_then_removed_once(
    dropped: tuple[Connector, Dropping, Health], clock: FrozenClock
) -> None:
    connector, dropping, health = dropped
    assert len(await connector.versions()) == 3
    assert (health.components["dropped-sources"].detail or "").startswith("kept: gone until 2026-12-01")
    clock.advance(KEEP - timedelta(minutes=1))
    await dropping.look()
    assert len(await connector.versions()) == 3
    clock.advance(timedelta(minutes=2))
    for _ in range(3):
        await dropping.look()
    assert await connector.versions() == {}
    assert len(await connector.events(REMOVED)) == 3
    assert {count.live for count in (await connector.census()).census.values()} == {0}
    assert len({e.number for e in await connector.events(COMPLETED)}) == len(await connector.events(COMPLETED)) == 3
    assert health.components["dropped-sources"].detail is None


async def test_put_back_in_time_it_goes_on_where_it_stood(
    dropped: tuple[Connector, Dropping, Health], store: Database, clock: FrozenClock
) -> None:
    connector, dropping, _ = dropped
    clock.advance(KEEP + timedelta(days=1))
    async with world.connected(store, clock, source=connector.source) as again:
        await until(lambda: rows(store, "select from source_leases where dropped_at is null"), within_s=10)
        await dropping.look()
        await again.full()
        assert await again.events(REMOVED) == []
        assert len(await again.versions()) == 3


async def test_what_an_older_process_drops_before_it_is_held_is_held_all_the_same(
    dropped: tuple[Connector, Dropping, Health], store: Database
) -> None:
    """It looks between the moment at which a newer process opens the source and the one at which it claims it."""
    connector, dropping, _ = dropped
    name = connector.source.name
    async with store.connection() as connection:
        await leases.open_(connection, [name])
    await dropping.look()
    changed = await Holdings(store).beat([name], lambda _: False)
    assert set(changed.gained) == {name}
    assert await rows(store, "select from source_leases where dropped_at is not null") == []


async def test_a_source_that_was_renamed_keeps_its_records(
    dropped: tuple[Connector, Dropping, Health], store: Database, clock: FrozenClock
) -> None:
    async with world.connected(store, clock, source=Source(name="renamed", region=world.REGION)) as renamed:
        await until(
            lambda: rows(store, "select from sources where name = 'renamed' and last_full_at is not null"), within_s=20
        )
        assert {version.source for version in (await renamed.versions()).values()} == {"renamed"}
        renaming = Dropping({"renamed": renamed.source}, store, Health(clock), clock, keep=KEEP)
        await renaming.look()
        assert {count.live for count in (await renamed.census()).census.values()} == {0}, "of `gone` nothing is left"
        clock.advance(KEEP + timedelta(days=1))
        await renaming.look()
        assert await renamed.events(REMOVED) == []
        assert len(await renamed.versions()) == 3


async def test_what_another_process_still_reads_is_not_dropped(
    simulator: Simulator, store: Database, clock: FrozenClock
) -> None:
    """Files change one machine after the other."""
    sources = some(1)
    async with a_process(store, clock, sources) as older:
        await until(lambda: len(older.held) == 1, within_s=10)
        await Dropping({}, store, Health(clock), clock, keep=KEEP).look()
        assert await rows(store, "select from source_leases where dropped_at is not null") == []
