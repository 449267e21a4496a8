"""AWS at its worst, all at once: what is read in the end is what would have been read without."""

from collections import Counter
from datetime import timedelta
from itertools import pairwise
from typing import Any

from assent_common.clock import FrozenClock
from assent_common.database import Database
from assent_common.events.registry import MetricsStatus
from assent_local.simulator import Simulator
from assent_sagemaker.runs import Status
from assent_sagemaker.sources import Source

from tests.connector import world
from tests.connector.test_full_sync import seed
from tests.connector.world import COMPLETED, Connector, connected
from tests.support.wait import until

GROUPS, VERSIONS = 8, 125
BAD_WEATHER = {
    "throttle": {"*": 0.2},
    "errors": {"*": 0.05},
    "cuts": {"*": 0.03},
    "expired_tokens": 4,
    "empty_pages": 0.1,
    "s3": [
        {"prefix": "", "kind": "server_error", "rate": 0.05},
        {"prefix": "", "kind": "truncated", "rate": 0.05},
        {"prefix": "", "kind": "not_found", "rate": 0.05},
        {"prefix": "", "kind": "access_denied", "rate": 0.05},
    ],
}
TABLES = "records, outbox, sources, sync_runs, source_leases, readers, views, job_readings, lineages"


def states(versions: dict[str, Any]) -> dict[str, Any]:
    return {urn: version.model_dump(exclude={"changed_fields"}) for urn, version in versions.items()}


async def is_complete(connector: Connector) -> bool:
    connector.clock.advance(timedelta(minutes=10))
    await connector.wake()
    versions = (await connector.versions()).values()
    return len(versions) == GROUPS * VERSIONS and all(
        version.metrics_status is MetricsStatus.COMPLETE and not version.unread for version in versions
    )


async def test_a_thousand_versions_in_a_storm_are_told_as_in_fair_weather(
    simulator: Simulator, store: Database, clock: FrozenClock
) -> None:
    await seed(simulator, GROUPS, VERSIONS)
    source = Source(name="demo", region=world.REGION)
    async with connected(store, clock, source=source) as connector:
        await connector.first()
        await until(lambda: is_complete(connector), within_s=60)
        expected = states(await connector.versions())
    assert len(expected) == GROUPS * VERSIONS
    async with store.connection() as connection:
        await connection.execute(f"truncate {TABLES}")

    simulator.dial(**BAD_WEATHER)
    async with connected(store, clock, source=source) as connector:

        async def read_whole() -> bool:
            runs = await connector.runs()
            return any(run.mode == "full" and run.status is Status.COMPLETED for run in runs)

        async def tried() -> bool:
            # A run that gave up is begun again after its back-off.
            connector.clock.advance(timedelta(seconds=30))
            await connector.wake()
            return await read_whole()

        await until(tried, within_s=90)
        versions = await connector.versions()
        assert len(versions) == GROUPS * VERSIONS, "none is missing, whatever befell the calls"
        unreadable = [v for v in versions.values() if v.metrics_status is not MetricsStatus.COMPLETE]
        # A report that failed may have been read since: that some failed, the calls tell.
        assert simulator.calls("GetObject") > GROUPS * VERSIONS
        assert all(v.metrics_reason for v in unreadable), "what could not be read says why"
        assert simulator.calls("Search") > 1 + 1 + GROUPS * VERSIONS / 100 + 1
        stormy = await connector.events()

        simulator.dial()
        await until(lambda: is_complete(connector), within_s=60)
        assert states(await connector.versions()) == expected
        events = [event for event in await connector.events() if event.type != COMPLETED]
    said = Counter((event.subject, event.number) for event in events)
    assert max(said.values()) == 1, "nothing is told twice"
    bodies = Counter(event.subject for event in stormy if event.type != COMPLETED)
    assert len(bodies) == GROUPS * VERSIONS + GROUPS
    for urn in expected:
        told = [event.data for event in events if event.subject == urn]
        assert all(next_["changed_fields"] for _, next_ in pairwise(told)), "no state is told twice in a row"
