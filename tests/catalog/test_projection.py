"""Events to rows: however often and in whatever order they come, the same rows come of them."""

import asyncio
import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from assent_catalog.projection.apply import apply
from assent_common import ids
from assent_common.events.envelope import CloudEvent
from assent_common.events.governance import CandidacyStatus
from assent_common.events.model import Payload
from assent_common.events.registry import DatasetRole, DatasetUse, Kind
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.catalog.world import (
    ENDPOINT,
    MADE_AT,
    MODEL,
    URN,
    World,
    a_candidacy,
    a_deployment,
    a_model,
    a_monitor,
    a_sync,
    a_version,
    an_event,
    gone,
)
from tests.support.wait import until

WAITING = """
select exists (select from pg_locks l join pg_database d on d.oid = l.database
                where d.datname = current_database() and not l.granted)
"""
OTHER = URN.replace("/7", "/8")
#: Table → what of it depends on the order in which events came: how often something was told, not what.
TABLES = {
    "models": [],
    "model_versions": ["changed_sequence"],
    "metrics": [],
    "model_version_history": [],
    "model_history": [],
    "deployment_history": [],
    "deployments": [],
    "monitors": [],
    "datasets": [],
    "lineage_edges": [],
    "candidacies": [],
    "candidacy_history": [],
    "source_census": [],
}


def _states(*payloads: Payload) -> st.SearchStrategy[list[Payload]]:
    return st.lists(st.sampled_from(payloads), max_size=4)


HISTORIES: st.SearchStrategy[list[list[Payload]]] = st.tuples(
    _states(
        a_version(datasets=[DatasetUse(urn="s3://data/1", role=DatasetRole.TRAINING)], training_job="job-1"),
        a_version(datasets=[DatasetUse(urn="s3://data/2", role=DatasetRole.TEST)], accuracy=0.5),
        a_version(accuracy=None, description="x"),
        gone(),
    ),
    _states(
        a_version(OTHER, version=8),
        a_version(OTHER, version=8, created_at=MADE_AT + timedelta(days=2)),
        gone(OTHER),
    ),
    _states(a_model(), a_model(description="line of churn models"), gone(MODEL, Kind.MODEL)),
    _states(a_deployment(), a_deployment(status="Failed", monitors=[a_monitor()]), gone(ENDPOINT, Kind.DEPLOYMENT)),
    _states(*(a_candidacy(status) for status in CandidacyStatus)),
    _states(*(a_candidacy(status, OTHER, use_case="scoring") for status in CandidacyStatus)),
    _states(*(a_candidacy(status, OTHER) for status in CandidacyStatus)),
    _states(a_sync(model_version=2), a_sync(model_version=3, model=1)),
).map(list)


def in_order(histories: Sequence[Sequence[Payload]]) -> list[CloudEvent]:
    """Each entity's states with growing sequences, an hour apart."""
    return [
        an_event(payload, sequence, MADE_AT + timedelta(hours=sequence))
        for states in histories
        for sequence, payload in enumerate(states, 1)
    ]


async def rows(world: World) -> dict[str, list[str]]:
    async with world.database.connection() as connection:
        return {
            table: sorted(
                str({name: value for name, value in row.items() if name not in left_out})
                for row in await connection.fetch(f"select * from {table}")
            )
            for table, left_out in TABLES.items()
        }


async def last_told(world: World) -> dict[str, Any]:
    return {event.subject: event.data for event in await world.told("model_version")}


async def forget(world: World) -> None:
    async with world.database.connection() as connection:
        await connection.execute(f"truncate {', '.join(TABLES)}, outbox cascade")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories=HISTORIES, seed=st.integers(0, 2**32), size=st.integers(1, 30))
async def test_any_order_and_any_repetition_end_in_the_same_rows(
    world: World, histories: list[list[Payload]], seed: int, size: int
) -> None:
    events = in_order(histories)
    await forget(world)
    for event in events:
        await world.apply([event])
    expected, expected_events = await rows(world), await last_told(world)

    await forget(world)
    chance = random.Random(seed)
    shuffled = events + chance.choices(events, k=len(events)) if events else []
    chance.shuffle(shuffled)
    for start in range(0, len(shuffled), size):
        await world.apply(shuffled[start : start + size])

    assert await rows(world) == expected
    assert await last_told(world) == expected_events


async def test_a_batch_does_what_its_events_do_one_by_one(world: World) -> None:
    versions = [a_version(f"{URN[:-1]}{n}", version=n, accuracy=n / 100) for n in range(100)]
    events = [an_event(version, 1) for version in versions]
    for event in events:
        await world.apply([event])
    one_by_one = await rows(world)
    assert len(one_by_one["model_versions"]) == 100
    await forget(world)

    await world.apply(events)

    assert await rows(world) == one_by_one


async def test_an_event_applied_twice_tells_nothing_the_second_time(world: World) -> None:
    events = await world.hears(a_model(), a_version(), a_deployment(), a_candidacy())
    told = await world.told()
    assert [event.data["status"] for event in told] == ["candidate"]

    await world.apply(events)
    for event in events:
        await world.apply([event])

    assert len(await world.told()) == len(told)


async def test_what_changes_is_told_with_a_growing_sequence_under_its_cause(world: World) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    await world.hears(a_version(), correlation_id="registered", traceparent=trace)
    await world.hears(a_candidacy(), correlation_id="put-forward")
    await world.hears(a_candidacy(CandidacyStatus.ACCEPTED), correlation_id="decided")
    await world.hears(gone(), correlation_id="deleted")

    told = await world.told("model_version")

    assert [(e.number, e.data["status"], e.correlationid) for e in told] == [
        (1, "registered", "registered"),
        (2, "candidate", "put-forward"),
        (3, "accepted", "decided"),
        (4, "missing_from_source", "deleted"),
    ]
    assert told[0].traceparent is not None
    assert told[0].traceparent.split("-")[1] == trace.split("-")[1]


async def test_a_candidacy_may_come_before_its_version(world: World) -> None:
    await world.hears(a_candidacy(CandidacyStatus.UNDER_REVIEW))
    assert await world.told("model_version") == []

    await world.hears(a_version())

    assert (await world.version())["status"] == "under_review"
    assert [e.data["candidacies"] for e in await world.told("model_version")] == [{"retention": "under_review"}]


async def test_a_version_and_its_candidacy_applied_by_two_consumers_at_once_both_count(world: World) -> None:
    async with world.database.transaction() as uow:
        await apply(uow, [an_event(a_version(), 1)])
        beside = asyncio.create_task(world.apply([an_event(a_candidacy(), 1)]))
        await until(lambda: _waits_for_a_lock(world), within_s=5)
        assert not beside.done()
    await beside
    assert (await world.version())["status"] == "candidate"


async def _waits_for_a_lock(world: World) -> bool:
    async with world.database.connection() as connection:
        waiting: bool = await connection.fetchval(WAITING)
        return waiting


async def test_the_strongest_candidacy_is_the_status(world: World) -> None:
    await world.hears(
        a_version(),
        a_candidacy(CandidacyStatus.REJECTED),
        a_candidacy(CandidacyStatus.SUSPENDED, use_case="scoring"),
        a_candidacy(CandidacyStatus.WITHDRAWN, use_case="pricing"),
    )
    assert (await world.version())["status"] == "suspended"


async def test_a_version_that_is_gone_is_kept_as_missing_and_may_come_back(world: World) -> None:
    await world.hears(a_version(), a_candidacy(CandidacyStatus.ACCEPTED))
    await world.hears(gone())
    missing = await world.version()
    assert missing["status"] == "missing_from_source"
    assert missing["metrics"]["accuracy"]["value"] == 0.91

    await world.hears(a_version())

    assert (await world.version())["status"] == "accepted"


async def test_a_removal_of_what_was_never_seen_shows_nothing(world: World) -> None:
    await world.hears(gone())
    assert (await world.get("/v1/model-versions"))["items"] == []
    assert (await world.ask("GET", f"/v1/model-versions/{ids.of_urn(URN)}")).status_code == 404
    assert await world.told() == []


async def test_a_version_made_anew_under_its_old_urn_starts_without_candidacies(world: World) -> None:
    await world.hears(a_version(), a_candidacy(CandidacyStatus.ACCEPTED))
    assert (await world.version())["status"] == "accepted"

    await world.hears(a_version(created_at=MADE_AT + timedelta(days=40), accuracy=0.4))

    version = await world.version()
    assert version["status"] == "registered"
    assert version["candidacies"] == []
    history = await world.get(f"/v1/model-versions/{version['id']}/history")
    assert [state["kind"] for state in history["items"]].count("observed") == 2
    await world.hears(a_candidacy(id=ids.new(), version_created_at=MADE_AT + timedelta(days=40)))
    assert (await world.version())["status"] == "candidate"


async def test_a_source_says_whether_all_that_it_has_is_here(world: World) -> None:
    await world.hears(a_sync(model_version=1))
    assert [source["complete"] for source in (await world.get("/v1/sources"))["items"]] == [False]
    await world.hears(a_version())
    source = (await world.get("/v1/sources"))["items"][0]
    assert source["complete"] is True
    assert source["kinds"]["model_version"] == {"held": 1, "announced": 1}
