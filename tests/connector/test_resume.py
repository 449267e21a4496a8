"""A reading that is cut off at any of its calls goes on where it stopped, and ends as if it had not been."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from assent_common.clock import FrozenClock
from assent_common.database import Database
from assent_local.simulator import Simulator, running
from assent_sagemaker.runs import Status
from assent_sagemaker.sources import Source
from assent_sagemaker.sync.run import DESCRIBED_AT_ONCE

from tests.connector import world
from tests.connector.conftest import client
from tests.connector.world import COMPLETED, OBSERVED, REMOVED, Connector, connected
from tests.support.wait import until

VERSIONS = 250
#: As one account of its own: `records` and what was told of them.
TABLES = "records, outbox, sources, sync_runs, source_leases, readers, views, job_readings, lineages"


@pytest.fixture
async def registry(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Simulator]:
    """Two groups that grew by a version a minute."""
    grown = world.now()
    async with running(clock=grown) as simulator:
        for name, value in simulator.environment.items():
            monkeypatch.setenv(name, value)
        async with client("sagemaker", simulator.url) as sagemaker:
            for group in ("churn", "fraud"):
                await sagemaker.create_model_package_group(ModelPackageGroupName=group)
            for number in range(VERSIONS):
                grown.advance(timedelta(minutes=1))
                await sagemaker.create_model_package(
                    ModelPackageGroupName=("churn", "fraud")[number % 2], InferenceSpecification=world.SPECIFICATION
                )
        simulator.app.calls.clear()
        yield simulator


Cut = Callable[[], bool | Awaitable[bool]]


async def cut_off(registry: Simulator, store: Database, clock: FrozenClock, source: Source, when: Cut) -> Counter[str]:
    """A connector that ends in the middle of its reading. What it asked for."""
    registry.app.calls.clear()

    async def read() -> None:
        async with connected(store, clock, source=source):
            await asyncio.Event().wait()

    reading = asyncio.create_task(read())

    def cut() -> bool | Awaitable[bool]:
        if reading.done():
            # It could not even begin, and says why.
            reading.result()
        return when()

    try:
        await until(cut, within_s=30)
        asked = registry.app.calls.copy()
    finally:
        reading.cancel()
        await asyncio.wait({reading})
    registry.dial()
    registry.app.calls.clear()
    return asked


async def cut_off_after(
    registry: Simulator, store: Database, clock: FrozenClock, source: Source, calls: int
) -> Counter[str]:
    """No answer comes to the call after so many."""
    registry.dial(answers=calls)
    return await cut_off(registry, store, clock, source, lambda: registry.app.calls.total() > calls)


async def cut_off_on_the_last_page(
    registry: Simulator, store: Database, clock: FrozenClock, source: Source
) -> Counter[str]:
    """It waits for a report, when those before it are kept."""
    async with client("sagemaker", registry.url) as sagemaker:
        await world.register(sagemaker, "churn", ModelMetrics=world.metrics_at("s3://reports/last.json"))
    async with client("s3", registry.url) as s3:
        await s3.create_bucket(Bucket="reports")
    registry.dial(s3=[{"prefix": "reports/", "kind": "slow", "delay_s": 60}])

    async def two_pages_kept() -> bool:
        async with store.connection() as connection:
            versions = await connection.fetchval("select count(*) from records where kind = 'model_version'")
        return bool(versions == 200)

    return await cut_off(registry, store, clock, source, two_pages_kept)


async def told(connector: Connector) -> dict[str, tuple[int, Any]]:
    """Subject → the sequence and the state last told, of everything but the ends of runs."""
    events = [event for event in await connector.events() if event.type != COMPLETED]
    assert max(Counter(event.subject for event in events).values()) == 1, "nothing is told twice"
    return {event.subject: (event.number, event.data) for event in events}


@pytest.mark.parametrize(
    ("plan", "after"),
    [("search", after) for after in (1, 6, 9, 10, 11, 12, 13)] + [("describe", after) for after in (8, 60, 250)],
)
async def test_cut_off_at_any_call_it_goes_on_in_the_same_run_and_ends_as_without(
    registry: Simulator, store: Database, clock: FrozenClock, plan: Any, after: int
) -> None:
    source = Source(name="demo", region=world.REGION, plan=plan)
    async with connected(store, clock, source=source) as connector:
        whole = await connector.first()
        expected = await told(connector)
        (reference,) = await connector.rows("select * from sources")
    assert whole.counts["changed"] == len(expected) == VERSIONS + 2
    async with store.connection() as connection:
        await connection.execute(f"truncate {TABLES}")

    before = await cut_off_after(registry, store, clock, source, after)
    async with store.connection() as connection:
        (left,) = await connection.fetch("select id, status from sync_runs")
    assert left["status"] == "running"

    async with connected(store, clock, source=source) as connector:
        run = await connector.first()
        assert (run.id, run.status) == (left["id"], Status.COMPLETED)
        assert await told(connector) == expected
        assert len(await connector.runs()) == 1
        assert (run.counts["changed"], run.counts["listed"]) == (VERSIONS + 2, VERSIONS + 2)
        (now,) = await connector.rows("select * from sources")
        assert (now["watermark"], now["plan"]) == (reference["watermark"], reference["plan"])
    both = before + registry.app.calls
    if plan == "search":
        # The pages that were under way (some are read while the listing goes on) are asked for again, and so are the
        # mark, the groups' last page and the sample. What serves comes last, with one more search.
        assert both["Search"] <= 5 + 3 + 2 + 1
        assert both["DescribeModelPackage"] <= 6
    else:
        assert both["DescribeModelPackage"] <= VERSIONS + 100 + DESCRIBED_AT_ONCE
        assert both["DescribeModelPackageGroup"] <= 4


async def test_pages_that_were_kept_are_not_read_again(
    registry: Simulator, store: Database, clock: FrozenClock
) -> None:
    source = Source(name="demo", region=world.REGION)
    before = await cut_off_on_the_last_page(registry, store, clock, source)
    assert before["Search"] == 1 + 1 + 3
    async with connected(store, clock, source=source) as connector:
        await connector.first()
        # The mark, the groups' end, one page from where the second ended, and the models.
        assert registry.app.calls["Search"] == 1 + 1 + 1 + 1
        assert len(await connector.events(OBSERVED)) == VERSIONS + 1


async def test_what_changed_while_nobody_read_is_found_on_pages_that_were_read_before(
    registry: Simulator, store: Database, clock: FrozenClock
) -> None:
    source = Source(name="demo", region=world.REGION)
    await cut_off_on_the_last_page(registry, store, clock, source)
    async with client("sagemaker", registry.url) as sagemaker:
        listed = await sagemaker.list_model_packages(ModelPackageType="Both", SortOrder="Ascending", MaxResults=1)
        oldest = listed["ModelPackageSummaryList"][0]["ModelPackageArn"]
        await sagemaker.update_model_package(ModelPackageArn=oldest, ModelApprovalStatus="Rejected")
        newest = await world.register(sagemaker, "churn")
    async with connected(store, clock, source=source) as connector:
        await connector.first()
        assert newest in await connector.versions()
        await connector.poll()
        assert (await connector.versions())[oldest].source_approval_status == "Rejected"


async def test_a_listing_counts_once_however_often_its_run_is_taken_up(
    registry: Simulator, store: Database, clock: FrozenClock
) -> None:
    source = Source(name="demo", region=world.REGION)
    async with connected(store, clock, source=source) as connector:
        await connector.first()
    async with client("sagemaker", registry.url) as sagemaker:
        listed = await sagemaker.list_model_packages(ModelPackageType="Both")
        gone = listed["ModelPackageSummaryList"][0]["ModelPackageArn"]
        await sagemaker.delete_model_package(ModelPackageName=gone)
    # The listing lacked it, and was counted; only the endpoints were outstanding.
    for _ in range(3):
        async with store.connection() as connection:
            await connection.execute("update sources set full_due_at = null")
        registry.dial(latency_ms=30)
        await cut_off(registry, store, clock, source, lambda: registry.calls("ListEndpoints") > 0)
    async with connected(store, clock, source=source) as connector:
        await until(lambda: _completed(connector, 2), within_s=30)
        assert await connector.events(REMOVED) == []
        await connector.full()
        assert [event.subject for event in await connector.events(REMOVED)] == [gone]


async def _completed(connector: Connector, runs: int) -> bool:
    return [run.status for run in await connector.runs()] == [Status.COMPLETED] * runs
