"""Decisions written back: once each, whatever comes twice, late or in between, and without starting another round."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any
from uuid import UUID

from assent_common import ids
from assent_common.clock import FrozenClock
from assent_common.database import Database
from assent_common.events import envelope
from assent_common.events.envelope import CloudEvent
from assent_common.events.governance import CandidacyChanged, CandidacyStatus
from assent_local.simulator import Simulator
from assent_sagemaker import write_back
from assent_sagemaker.sources import Source

from tests.connector import world
from tests.connector.conftest import Connect
from tests.connector.world import Connector, register
from tests.support.wait import until

ACCEPTED, REJECTED, SUSPENDED = CandidacyStatus.ACCEPTED, CandidacyStatus.REJECTED, CandidacyStatus.SUSPENDED
#: A decision is written in two calls.
APPROVAL_AND_LABELS = 2
#: What each full sync describes besides.
SAMPLED = 3
UNDER_REVIEW, RETIRED = CandidacyStatus.UNDER_REVIEW, CandidacyStatus.RETIRED


def said(
    urn: str,
    status: CandidacyStatus,
    sequence: int,
    *,
    id: UUID | None = None,
    reason: str | None = "four eyes",
    content_hash: str | None = None,
    use_case: str = "churn-care",
    version_created_at: datetime | None = None,
) -> CloudEvent:
    candidacy = CandidacyChanged(
        id=id or ids.of_urn(urn),
        use_case=use_case,
        use_case_id=ids.of_urn(use_case),
        model_version=urn,
        version_created_at=version_created_at,
        status=status,
        reason=reason,
        content_hash=content_hash,
        put_forward_by="ada",
        changed_by="bea",
        changed_at=world.now().now() + timedelta(minutes=sequence),
    )
    return envelope.create(
        source="/assent/workflow",
        type="assent.governance.candidacy.changed.v1",
        subject=str(candidacy.id),
        sequence=sequence,
        time=candidacy.changed_at,
        data=candidacy,
        correlation_id="decision-1",
    )


async def hear(connector: Connector, *events: CloudEvent) -> None:
    await _apply(connector.database, events)


async def _apply(database: Database, events: Sequence[CloudEvent]) -> None:
    async with database.transaction() as uow:
        await write_back.apply(uow, events)


async def settled(connector: Connector, state: str = "done") -> Any:
    async def found() -> Any:
        rows = await connector.rows("select * from write_backs")
        return rows[0] if [row["state"] for row in rows] == [state] else None

    return await until(found, within_s=20)


async def approval(sagemaker: Any, urn: str) -> tuple[str, str | None]:
    package = await sagemaker.describe_model_package(ModelPackageName=urn)
    return package["ModelApprovalStatus"], package.get("ApprovalDescription")


async def test_an_acceptance_is_approved_with_its_reason(
    simulator: Simulator, sagemaker: Any, connect: Connect
) -> None:
    urn = await register(sagemaker, "churn")
    connector = await connect(write_back=True)
    told = len(await connector.events())
    event = said(urn, ACCEPTED, 3, reason="all five\ndepartments agree")
    await hear(connector, event)
    await settled(connector)

    status, description = await approval(sagemaker, urn)
    assert status == "Approved"
    assert description is not None
    for part in ("churn-care", "bea", event.subject, "all five departments agree"):
        assert part in description
    (observed,) = (await connector.events())[told:]
    assert observed.data["source_approval_status"] == "Approved"
    assert observed.correlationid == "decision-1"
    (entry,) = await connector.rows("select * from audit")
    assert (entry["action"], entry["subject"], entry["details"]["approval"]) == ("write_back", urn, "Approved")


async def test_its_own_write_starts_no_second_round(simulator: Simulator, sagemaker: Any, connect: Connect) -> None:
    urn = await register(sagemaker, "churn")
    connector = await connect(write_back=True)
    told = len(await connector.events())
    await hear(connector, said(urn, ACCEPTED, 3))
    await settled(connector)
    for _ in range(3):
        await connector.poll()
    await connector.full()
    assert simulator.calls("UpdateModelPackage") == APPROVAL_AND_LABELS
    told_since = [event.subject for event in (await connector.events())[told:] if event.subject == urn]
    assert told_since == [urn]


async def test_an_index_that_has_not_seen_the_write_takes_nothing_back(
    simulator: Simulator, sagemaker: Any, connect: Connect
) -> None:
    urn = await register(sagemaker, "churn")
    connector = await connect(write_back=True)
    simulator.dial(search_frozen=True)
    await hear(connector, said(urn, ACCEPTED, 3))
    await settled(connector)
    told = len(await connector.events())
    await connector.poll()
    assert len(await connector.events()) == told
    assert (await connector.versions())[urn].source_approval_status == "Approved"


async def test_rejections_suspensions_and_returns_follow_one_another(
    simulator: Simulator, sagemaker: Any, connect: Connect
) -> None:
    urn = await register(sagemaker, "churn")
    connector = await connect(write_back=True)
    story = [
        (REJECTED, "Rejected"),
        (ACCEPTED, "Approved"),
        (SUSPENDED, "PendingManualApproval"),
        (ACCEPTED, "Approved"),
        (RETIRED, "PendingManualApproval"),
    ]
    for sequence, (status, expected) in enumerate(story, 1):
        await hear(connector, said(urn, status, sequence))
        await settled(connector)
        assert (await approval(sagemaker, urn))[0] == expected
    assert simulator.calls("UpdateModelPackage") == 5 * APPROVAL_AND_LABELS


async def test_what_comes_twice_or_late_changes_nothing(simulator: Simulator, sagemaker: Any, connect: Connect) -> None:
    urn = await register(sagemaker, "churn")
    connector = await connect(write_back=True)
    accepted, rejected = said(urn, ACCEPTED, 5), said(urn, REJECTED, 3)
    for events in ([accepted], [accepted, rejected], [rejected], [accepted, accepted]):
        await hear(connector, *events)
        await settled(connector)
    assert (await approval(sagemaker, urn))[0] == "Approved"
    assert simulator.calls("UpdateModelPackage") == APPROVAL_AND_LABELS


async def test_one_acceptance_outweighs_another_use_cases_rejection(
    simulator: Simulator, sagemaker: Any, connect: Connect
) -> None:
    urn = await register(sagemaker, "churn")
    connector = await connect(write_back=True)
    other = said(urn, REJECTED, 7, id=ids.new(), use_case="credit")
    await hear(connector, said(urn, ACCEPTED, 3), other)
    await settled(connector)
    assert (await approval(sagemaker, urn))[0] == "Approved"
    await hear(connector, said(urn, RETIRED, 4))
    await settled(connector)
    assert (await approval(sagemaker, urn))[0] == "Rejected"


async def test_nothing_is_wanted_while_nothing_is_decided(
    simulator: Simulator, sagemaker: Any, connect: Connect
) -> None:
    urn = await register(sagemaker, "churn")
    connector = await connect(write_back=True)
    await hear(connector, said(urn, CandidacyStatus.CANDIDATE, 1), said(urn, UNDER_REVIEW, 2))
    assert await connector.rows("select * from write_backs") == []


async def test_an_approval_is_for_the_content_that_was_judged(
    simulator: Simulator, sagemaker: Any, connect: Connect
) -> None:
    urn = await register(sagemaker, "churn")
    connector = await connect(write_back=True)
    judged = (await connector.versions())[urn].content_hash
    other = {**world.SPECIFICATION, "Containers": [{"Image": "registry.example.com/other:1"}]}
    await sagemaker.update_model_package(ModelPackageArn=urn, InferenceSpecification=other)
    calls = simulator.calls("UpdateModelPackage")
    await hear(connector, said(urn, ACCEPTED, 3, content_hash=judged))

    async def refused() -> Any:
        return await connector.rows("select * from write_backs where last_error like '%not what was judged%'")

    await until(refused, within_s=10)
    assert simulator.calls("UpdateModelPackage") == calls
    assert (await connector.versions())[urn].content_hash != judged, "the workflow hears of it at once"
    await hear(connector, said(urn, SUSPENDED, 4))
    await settled(connector)
    assert (await approval(sagemaker, urn))[0] == "PendingManualApproval"


async def test_a_write_that_was_cut_off_after_it_took_effect_is_not_repeated(
    simulator: Simulator, sagemaker: Any, store: Database, clock: FrozenClock
) -> None:
    """As after kill -9 between SageMaker's answer and ours to ourselves."""
    urn = await register(sagemaker, "churn")
    reading = Source(name="demo", region=world.REGION)
    async with world.connected(store, clock, source=reading) as connector:
        await connector.first()
        await hear(connector, said(urn, ACCEPTED, 3))
    (pending,) = await connector.rows("select * from write_backs")
    await connector.rows("update approvals set writing = 'Approved'")
    await sagemaker.update_model_package(
        ModelPackageArn=urn, ModelApprovalStatus="Approved", ApprovalDescription=pending["description"]
    )
    labels = {"assent:status": pending["status"], "assent:use-cases": pending["use_cases"]}
    await sagemaker.update_model_package(ModelPackageArn=urn, CustomerMetadataProperties=labels)
    writing = reading.model_copy(update={"write_back": True})
    async with world.connected(store, clock, source=writing) as restarted:
        await settled(restarted)
    assert simulator.calls("UpdateModelPackage") == 2
    assert len(await connector.rows("select * from audit")) == 1
    assert (await connector.rows("select writing from approvals"))[0]["writing"] is None


async def test_what_can_not_be_done_says_so_for_good(simulator: Simulator, sagemaker: Any, connect: Connect) -> None:
    urn = await register(sagemaker, "churn")
    connector = await connect(write_back=True)
    simulator.dial(denied=["UpdateModelPackage"])
    await hear(connector, said(urn, ACCEPTED, 3))
    row = await settled(connector, "failed")
    assert "not authorized" in row["last_error"]
    assert (await connector.versions())[urn].source_approval_status == "PendingManualApproval"


async def test_an_outage_is_tried_again(simulator: Simulator, sagemaker: Any, connect: Connect) -> None:
    urn = await register(sagemaker, "churn")
    connector = await connect(write_back=True)
    simulator.dial(errors={"UpdateModelPackage": 1})
    await hear(connector, said(urn, ACCEPTED, 3))

    async def tried() -> Any:
        return await connector.rows("select * from write_backs where last_error is not null")

    await until(tried, within_s=40)
    assert connector.health.components["write-back:demo"].state == "failing"
    simulator.dial()
    connector.clock.advance(timedelta(minutes=1))
    await settled(connector)
    assert (await approval(sagemaker, urn))[0] == "Approved"
    assert connector.health.components["write-back:demo"].state == "working"


async def test_what_a_clock_put_off_that_was_hours_early_is_written_all_the_same(
    simulator: Simulator, sagemaker: Any, connect: Connect
) -> None:
    """Found by T9."""
    urn = await register(sagemaker, "churn")
    connector = await connect(write_back=True)
    simulator.dial(errors={"UpdateModelPackage": 1})
    await hear(connector, said(urn, ACCEPTED, 3))
    await until(lambda: connector.rows("select * from write_backs where last_error is not null"), within_s=60)
    simulator.dial()
    async with connector.database.connection() as connection:
        await connection.execute("update write_backs set next_attempt_at = next_attempt_at + interval '2 hours'")
    await settled(connector)
    assert (await approval(sagemaker, urn))[0] == "Approved"


async def test_the_version_carries_its_status_and_its_use_cases(
    simulator: Simulator, sagemaker: Any, connect: Connect
) -> None:
    urn = await register(sagemaker, "churn", CustomerMetadataProperties={"team": "crm"})
    connector = await connect(write_back=True)
    before = (await connector.versions())[urn]
    other = ids.new()
    await hear(connector, said(urn, ACCEPTED, 1))
    await settled(connector)
    assert await properties(sagemaker, urn) == {
        "team": "crm",
        "assent:status": "accepted",
        "assent:use-cases": "churn-care",
    }
    await hear(connector, said(urn, ACCEPTED, 1, id=other, use_case="credit"))
    await settled(connector)
    assert (await properties(sagemaker, urn))["assent:use-cases"] == "churn-care credit"
    await hear(connector, said(urn, SUSPENDED, 2), said(urn, RETIRED, 2, id=other, use_case="credit"))
    await settled(connector)
    assert await properties(sagemaker, urn) == {
        "team": "crm",
        "assent:status": "suspended",
        "assent:use-cases": "churn-care",
    }
    after = (await connector.versions())[urn]
    assert after.properties["assent:status"] == "suspended"
    assert after.content_hash == before.content_hash, "what Assent writes is no content"
    assert after.metrics == before.metrics


async def test_a_read_back_is_one_event(simulator: Simulator, sagemaker: Any, connect: Connect) -> None:
    urn = await register(sagemaker, "churn")
    connector = await connect(write_back=True, life_cycle={"accepted": {"stage": "Production", "status": "Approved"}})
    told = len(await connector.events())
    await hear(connector, said(urn, ACCEPTED, 3))
    await settled(connector)
    await connector.poll()
    await connector.full()
    (observed,) = [event for event in (await connector.events())[told:] if event.type == world.OBSERVED]
    assert observed.data["life_cycle"]["stage"] == "Production"
    assert observed.data["properties"]["assent:status"] == "accepted"
    assert observed.data["approval_drift"] is None
    # Read, approve, label, read.
    assert simulator.calls("UpdateModelPackage") == APPROVAL_AND_LABELS
    assert simulator.calls("DescribeModelPackage") <= 2 + 2 * SAMPLED


async def test_a_package_whose_metadata_are_full_is_approved_all_the_same(
    simulator: Simulator, sagemaker: Any, connect: Connect
) -> None:
    full = {f"key-{n}": "x" for n in range(50)}
    urn = await register(sagemaker, "churn", CustomerMetadataProperties=full)
    connector = await connect(write_back=True)
    await hear(connector, said(urn, ACCEPTED, 3))
    row = await settled(connector)
    assert "full (50 of 50)" in row["note"]
    assert (await approval(sagemaker, urn))[0] == "Approved"
    assert await properties(sagemaker, urn) == full


async def test_pipelines_can_trigger_on_the_stage_and_move_it_on(
    simulator: Simulator, sagemaker: Any, connect: Connect
) -> None:
    urn = await register(sagemaker, "churn")
    life_cycle = {
        "accepted": {"stage": "Production", "status": "Approved"},
        "suspended": {"stage": "Production", "status": "Suspended"},
    }
    connector = await connect(write_back=True, life_cycle=life_cycle)

    async def stage() -> tuple[str, str]:
        cycle = (await sagemaker.describe_model_package(ModelPackageName=urn))["ModelLifeCycle"]
        return cycle["Stage"], cycle["StageStatus"]

    await hear(connector, said(urn, ACCEPTED, 1))
    await settled(connector)
    assert await stage() == ("Production", "Approved")
    deployed = {"Stage": "Production", "StageStatus": "Deployed"}
    await sagemaker.update_model_package(ModelPackageArn=urn, ModelLifeCycle=deployed)
    await hear(connector, said(urn, ACCEPTED, 1, id=ids.new(), use_case="credit"))
    await settled(connector)
    assert await stage() == ("Production", "Deployed")
    await hear(connector, said(urn, REJECTED, 2))
    await settled(connector)
    assert await stage() == ("Production", "Deployed"), "accepted for credit still"


async def test_what_failed_is_tried_again_when_somebody_asks_or_the_settings_change_or_after_a_day(
    simulator: Simulator, sagemaker: Any, store: Database, clock: FrozenClock
) -> None:
    urn = await register(sagemaker, "churn")
    source = Source(name="demo", region=world.REGION, write_back=True)

    async with world.connected(store, clock, source=source) as connector:
        await connector.first()
        simulator.dial(denied=["UpdateModelPackage"])
        await hear(connector, said(urn, ACCEPTED, 3))
        await settled(connector, "failed")
        updates = simulator.calls("UpdateModelPackage")

        async def tried_again() -> bool:
            return simulator.calls("UpdateModelPackage") > updates

        clock.advance(timedelta(hours=23))
        await connector.poll()
        assert not await tried_again()
        clock.advance(timedelta(hours=2))
        await until(tried_again, within_s=20)
        await settled(connector, "failed")
        updates = simulator.calls("UpdateModelPackage")
    simulator.dial()
    # As it stands, a restart is no reason.
    async with world.connected(store, clock, source=source) as connector:
        await connector.full()
        assert not await tried_again()
    role = {"role_arn": "arn:aws:iam::123456789012:role/assent", "external_id": "assent-1"}
    async with world.connected(store, clock, source=source.model_copy(update=role)) as connector:
        await settled(connector)
    assert (await approval(sagemaker, urn))[0] == "Approved"


async def test_what_was_deleted_has_nothing_to_take_back(
    simulator: Simulator, sagemaker: Any, connect: Connect
) -> None:
    urn = await register(sagemaker, "churn")
    connector = await connect(write_back=True)
    await hear(connector, said(urn, ACCEPTED, 1))
    await settled(connector)
    await sagemaker.delete_model_package(ModelPackageName=urn)
    await hear(connector, said(urn, RETIRED, 2))
    row = await settled(connector, "void")
    assert "does not exist" in row["last_error"]


async def test_a_storm_of_throttling_delays_every_decision_and_loses_none(
    simulator: Simulator, sagemaker: Any, connect: Connect
) -> None:
    urns = [await register(sagemaker, "churn") for _ in range(8)]
    connector = await connect(write_back=True)
    told = len(await connector.events())
    simulator.dial(throttle={"UpdateModelPackage": 0.8, "DescribeModelPackage": 0.5})
    await hear(connector, *(said(urn, ACCEPTED, 1) for urn in urns))

    async def over() -> bool:
        connector.clock.advance(timedelta(seconds=5))
        return {row["state"] for row in await connector.rows("select state from write_backs")} == {"done"}

    await until(over, within_s=120)
    simulator.dial()
    for urn in urns:
        assert (await approval(sagemaker, urn))[0] == "Approved"
        assert (await properties(sagemaker, urn))["assent:status"] == "accepted"
    assert len(await connector.rows("select from audit where action = 'write_back'")) == len(urns)
    # SageMaker may have been read between the two calls.
    events = [event for event in (await connector.events())[told:] if event.type == world.OBSERVED]
    assert len(urns) <= len(events) <= 2 * len(urns)
    assert {event.data["approval_drift"] for event in events} == {None}
    assert {event.data["source_approval_status"] for event in events} == {"Approved"}


async def test_two_processes_write_each_decision_once(
    simulator: Simulator, sagemaker: Any, store: Database, clock: FrozenClock
) -> None:
    urns = [await register(sagemaker, "churn") for _ in range(6)]
    source = Source(name="demo", region=world.REGION, write_back=True)
    async with AsyncExitStack() as first, AsyncExitStack() as second:
        holder = await first.enter_async_context(world.connected(store, clock, source=source))
        await holder.first()
        other = await second.enter_async_context(world.connected(store, clock, source=source))
        await hear(other, *(said(urn, ACCEPTED, 1) for urn in urns[:3]))
        await until(lambda: _all_done(other, 3), within_s=30)
        simulator.dial(latency_ms=50)
        updates = simulator.calls("UpdateModelPackage")
        await hear(other, *(said(urn, ACCEPTED, 1) for urn in urns[3:]))
        await until(lambda: simulator.calls("UpdateModelPackage") > updates, within_s=30)
        # It goes in the middle of it, and the other one goes on.
        await first.aclose()
        simulator.dial()
        clock.advance(timedelta(minutes=1))
        await until(lambda: _all_done(other, 6), within_s=30)
    assert [(await approval(sagemaker, urn))[0] for urn in urns] == ["Approved"] * 6
    assert len(await other.rows("select from audit where action = 'write_back'")) == 6
    assert not await other.rows("select from approvals where writing is not null or drift is not null")


async def test_whatever_the_order_in_which_candidacies_are_heard_of_one_thing_is_wanted(store: Database) -> None:
    """Every order of one story, each of a version of its own; some events twice."""
    story = [(1, ACCEPTED, 0), (2, SUSPENDED, 0), (3, UNDER_REVIEW, 0), (1, REJECTED, 1), (2, RETIRED, 1)]
    orders = list(permutations(story))
    assert len(orders) == 120
    for number, order in enumerate(orders):
        urn = f"arn:aws:sagemaker:eu-central-1:123456789012:model-package/churn/{number}"
        events = [
            said(urn, status, sequence, id=ids.of_urn(f"{urn}#{which}"), use_case=f"use-case-{which}")
            for sequence, status, which in order
        ]
        # One by one, in two batches, in one.
        size = (1, 3, 5)[number % 3]
        for start in range(0, 5, size):
            await _apply(store, events[start : start + size])
        await _apply(store, events[2:3])
    async with store.connection() as connection:
        rows = await connection.fetch(
            "select distinct desired, status, use_cases, state from write_backs where status is not null"
        )
        count = await connection.fetchval("select count(*) from write_backs")
    assert [tuple(row) for row in rows] == [("PendingManualApproval", "under_review", "use-case-0", "pending")]
    assert count == 120


async def _all_done(connector: Connector, count: int) -> bool:
    rows = await connector.rows("select state from write_backs")
    return [row["state"] for row in rows] == ["done"] * count


async def properties(sagemaker: Any, urn: str) -> dict[str, str]:
    package = await sagemaker.describe_model_package(ModelPackageName=urn)
    found: dict[str, str] = package["CustomerMetadataProperties"]
    return found


async def test_a_source_without_write_back_is_only_read(simulator: Simulator, sagemaker: Any, connect: Connect) -> None:
    urn = await register(sagemaker, "churn")
    connector = await connect()
    await hear(connector, said(urn, ACCEPTED, 3))
    await connector.poll()
    await connector.full()
    assert simulator.calls("UpdateModelPackage") == 0
    assert (await connector.rows("select state from write_backs"))[0]["state"] == "pending"
