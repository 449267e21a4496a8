"""Approvals changed in SageMaker behind our back: told with who did it, and put back where that is asked for."""

import asyncio
import random
import secrets
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import groupby
from typing import Any

import pytest
from assent_common.clock import FrozenClock
from assent_common.database import Database
from assent_common.events.envelope import CloudEvent
from assent_common.events.registry import ApprovalDrift, ModelVersionObserved
from assent_local.simulator import Simulator
from assent_sagemaker import approvals, write_back
from assent_sagemaker.sources import Source

from tests.connector import world
from tests.connector.conftest import Connect, client
from tests.connector.test_write_back import (
    ACCEPTED,
    APPROVAL_AND_LABELS,
    REJECTED,
    SUSPENDED,
    UNDER_REVIEW,
    approval,
    hear,
    said,
    settled,
)
from tests.connector.world import OBSERVED, Connector, register
from tests.support.wait import until

PENDING = "PendingManualApproval"
PACKAGE = "arn:aws:sagemaker:eu-central-1:123456789012:model-package/churn"
EVE = "arn:aws:iam::123456789012:user/eve"


@pytest.fixture
async def eve(simulator: Simulator) -> AsyncIterator[Any]:
    """Somebody with a key of her own."""
    async with client("sagemaker", simulator.url, key="eve") as eve:
        yield eve


async def sets(who: Any, urn: str, status: str) -> None:
    await who.update_model_package(ModelPackageArn=urn, ModelApprovalStatus=status)


async def drift(connector: Connector, urn: str) -> ApprovalDrift | None:
    version = (await connector.versions())[urn]
    found: ApprovalDrift | None = version.approval_drift
    return found


async def told(connector: Connector, urn: str) -> list[tuple[str, str | None]]:
    """What was told of the version: its approval, and what was found beside what had been decided."""
    versions = [event.payload for event in await connector.events(OBSERVED) if event.subject == urn]
    return [(v.source_approval_status, v.approval_drift and v.approval_drift.found) for v in versions]  # type: ignore[attr-defined]


async def test_an_approval_that_nobody_decided_is_told_with_who_gave_it_until_it_is_taken_back(
    simulator: Simulator, sagemaker: Any, eve: Any, connect: Connect
) -> None:
    urn = await register(sagemaker, "churn")
    connector = await connect()
    await sets(eve, urn, "Approved")
    await connector.poll()
    found = await drift(connector, urn)
    assert found is not None
    assert (found.found, found.wanted, found.by) == ("Approved", None, EVE)
    package = await sagemaker.describe_model_package(ModelPackageName=urn)
    assert found.at == package["LastModifiedTime"]

    # Who only adds a tag since is not who approved.
    await sagemaker.update_model_package(ModelPackageArn=urn, CustomerMetadataProperties={"team": "crm"})
    await connector.poll()
    assert await drift(connector, urn) == found
    for _ in range(2):
        await connector.poll()
        await connector.full()
    await sets(sagemaker, urn, PENDING)
    await connector.poll()
    assert await told(connector, urn) == [
        (PENDING, None),
        ("Approved", "Approved"),
        ("Approved", "Approved"),
        (PENDING, None),
    ]


async def test_what_stood_there_when_the_source_was_first_read_is_no_drift_but_taking_it_back_is(
    simulator: Simulator, sagemaker: Any, eve: Any, connect: Connect
) -> None:
    approved = await register(sagemaker, "churn", ModelApprovalStatus="Approved")
    rejected = await register(sagemaker, "churn", ModelApprovalStatus="Rejected")
    connector = await connect()
    await connector.full()
    assert await told(connector, approved) == [("Approved", None)]
    assert await told(connector, rejected) == [("Rejected", None)]
    await sets(eve, approved, PENDING)
    await connector.poll()
    assert await told(connector, approved) == [("Approved", None), (PENDING, PENDING)]


async def test_who_registers_as_approved_goes_round_the_review(
    simulator: Simulator, sagemaker: Any, eve: Any, connect: Connect
) -> None:
    await register(sagemaker, "churn")
    connector = await connect()
    approved = await register(eve, "churn", ModelApprovalStatus="Approved")
    rejected = await register(eve, "fraud", ModelApprovalStatus="Rejected")
    await connector.poll()
    found = await drift(connector, approved)
    assert found is not None
    assert (found.found, found.by) == ("Approved", EVE)
    assert await drift(connector, rejected) is None


async def test_a_source_that_was_empty_at_first_is_watched_from_then_on(
    simulator: Simulator, sagemaker: Any, connect: Connect
) -> None:
    connector = await connect()
    urn = await register(sagemaker, "churn", ModelApprovalStatus="Approved")
    await connector.poll()
    assert await told(connector, urn) == [("Approved", "Approved")]


async def test_models_that_a_source_includes_later_begin_as_they_stand(
    simulator: Simulator, sagemaker: Any, store: Database, clock: FrozenClock
) -> None:
    await register(sagemaker, "churn")
    narrow = Source(name="demo", region=world.REGION, include=("churn",))
    async with world.connected(store, clock, source=narrow) as connector:
        await connector.first()
    old = await register(sagemaker, "fraud", ModelApprovalStatus="Approved")
    async with world.connected(store, clock, source=narrow.model_copy(update={"include": ("*",)})) as wide:
        await until(lambda: told(wide, old), within_s=20)
        await wide.full()
        assert await told(wide, old) == [("Approved", None)]
        new = await register(sagemaker, "fraud", ModelApprovalStatus="Approved")
        await wide.poll()
        assert await told(wide, new) == [("Approved", "Approved")]


async def test_a_decision_that_agrees_ends_the_drift_at_once_though_the_source_is_not_written_to(
    simulator: Simulator, sagemaker: Any, connect: Connect
) -> None:
    urn = await register(sagemaker, "churn")
    connector = await connect()
    await sets(sagemaker, urn, "Approved")
    await connector.poll()
    await hear(connector, said(urn, REJECTED, 1))

    async def wanted() -> str | None:
        found = await drift(connector, urn)
        return found.wanted if found else None

    await until(wanted, within_s=10)
    assert await wanted() == "Rejected"
    await hear(connector, said(urn, ACCEPTED, 2))

    async def ended() -> bool:
        return await drift(connector, urn) is None

    await until(ended, within_s=10)
    # What was decided once is right until SageMaker says otherwise.
    await hear(connector, said(urn, SUSPENDED, 3))
    await until(lambda: nothing_due(connector), within_s=10)
    await connector.poll()
    assert await told(connector, urn) == [
        (PENDING, None),
        *[("Approved", "Approved")] * 2,
        ("Approved", None),
    ]
    assert simulator.calls("UpdateModelPackage") == 1


async def nothing_due(connector: Connector) -> bool:
    return not await connector.rows("select from approvals where due")


async def test_what_assent_writes_is_no_drift_whoever_reads_it_first(
    simulator: Simulator, sagemaker: Any, eve: Any, connect: Connect
) -> None:
    urn = await register(sagemaker, "churn")
    connector = await connect(write_back=True)
    for sequence, (status, expected) in enumerate(
        [(ACCEPTED, "Approved"), (SUSPENDED, PENDING), (REJECTED, "Rejected")], 1
    ):
        await hear(connector, said(urn, status, sequence))
        await connector.poll()
        await settled(connector)
        await connector.poll()
        assert (await told(connector, urn))[-1] == (expected, None)
    assert {found for _, found in await told(connector, urn)} == {None}
    await sets(eve, urn, "Approved")
    await connector.poll()
    found = await drift(connector, urn)
    assert found is not None
    assert (found.found, found.wanted) == ("Approved", "Rejected")
    assert (await approval(sagemaker, urn))[0] == "Approved", "it is told, and left"


async def test_a_decision_withdrawn_while_it_was_being_written_is_no_drift_of_anybodys(
    simulator: Simulator, sagemaker: Any, eve: Any, store: Database, clock: FrozenClock
) -> None:
    """As after kill -9 in the middle of writing, with another decision before the restart."""
    urn = await register(sagemaker, "churn")
    reading = Source(name="demo", region=world.REGION)
    async with world.connected(store, clock, source=reading) as connector:
        await connector.first()
        await hear(connector, said(urn, REJECTED, 1))
    await connector.rows("update approvals set writing = 'Rejected'")
    await sets(sagemaker, urn, "Rejected")
    await hear(connector, said(urn, UNDER_REVIEW, 2))
    async with world.connected(store, clock, source=reading.model_copy(update={"write_back": True})) as restarted:

        async def read_once_more() -> bool:
            return not await connector.rows("select from approvals where writing is not null")

        clock.advance(timedelta(minutes=1))
        await until(read_once_more, within_s=20)
        await restarted.poll()
        assert await told(restarted, urn) == [(PENDING, None), ("Rejected", None)]
        assert (await connector.rows("select state from write_backs"))[0]["state"] == "void"
        # From here on the same word by another hand is drift again.
        await sets(eve, urn, PENDING)
        await restarted.poll()
        assert (await told(restarted, urn))[-1] == (PENDING, PENDING)


async def test_a_drift_is_put_back_where_the_source_says_so_and_says_why(
    simulator: Simulator, sagemaker: Any, eve: Any, connect: Connect
) -> None:
    urn = await register(sagemaker, "churn")
    connector = await connect(write_back=True, on_drift="restore")
    await sets(eve, urn, "Approved")
    await connector.poll()
    row = await settled(connector)
    assert row["restores"] is True
    assert row["candidacy"] is None
    status, description = await approval(sagemaker, urn)
    assert status == PENDING
    assert description is not None
    assert "user/eve had set Approved" in description
    await connector.poll()
    assert await told(connector, urn) == [(PENDING, None), ("Approved", "Approved"), (PENDING, None)]
    assert simulator.calls("UpdateModelPackage") == 2

    # What was decided is put back with its reason.
    await hear(connector, said(urn, ACCEPTED, 1))
    await settled(connector)
    await sets(eve, urn, "Rejected")
    await connector.poll()

    async def put_back() -> bool:
        return (await approval(sagemaker, urn))[0] == "Approved"

    await until(put_back, within_s=20)
    row = await settled(connector)
    assert row["candidacy"] is not None
    _, description = await approval(sagemaker, urn)
    assert description is not None
    assert "had set Rejected" in description
    assert "accepted for use case churn-care" in description
    await connector.poll()
    assert (await told(connector, urn))[-1] == ("Approved", None)


async def test_whoever_insists_is_not_fought(simulator: Simulator, sagemaker: Any, eve: Any, connect: Connect) -> None:
    urn = await register(sagemaker, "churn")
    connector = await connect(write_back=True, on_drift="restore")
    for _ in range(3):
        await sets(eve, urn, "Approved")
        await connector.poll()

        async def put_back() -> bool:
            return (await approval(sagemaker, urn))[0] == PENDING

        await until(put_back, within_s=20)
        await settled(connector)
    await sets(eve, urn, "Approved")
    await connector.poll()
    row = await settled(connector, "failed")
    assert "put back 3 times" in row["last_error"]
    assert "user/eve" in row["last_error"]
    for _ in range(3):
        await connector.poll()
    assert (await approval(sagemaker, urn))[0] == "Approved"
    found = await drift(connector, urn)
    assert found is not None

    # A decision is no fight.
    await hear(connector, said(urn, REJECTED, 1))
    await settled(connector)
    assert (await approval(sagemaker, urn))[0] == "Rejected"
    await connector.poll()
    assert await drift(connector, urn) is None


async def test_nothing_is_approved_again_that_nobody_decided(
    simulator: Simulator, sagemaker: Any, eve: Any, connect: Connect
) -> None:
    urn = await register(sagemaker, "churn", ModelApprovalStatus="Approved")
    connector = await connect(write_back=True, on_drift="restore")
    await sets(eve, urn, PENDING)
    await connector.poll()
    await until(lambda: nothing_due(connector), within_s=10)
    assert await drift(connector, urn) is not None
    assert await connector.rows("select from write_backs") == []


async def test_a_drift_that_somebody_puts_back_first_is_left_alone(
    simulator: Simulator, sagemaker: Any, eve: Any, connect: Connect
) -> None:
    urn = await register(sagemaker, "churn")
    connector = await connect(write_back=True, on_drift="restore")
    await sets(eve, urn, "Approved")
    simulator.dial(errors={"UpdateModelPackage": 1})
    await connector.poll()

    async def tried() -> Any:
        return await connector.rows("select from write_backs where last_error is not null")

    await until(tried, within_s=40)
    simulator.dial()
    await sets(sagemaker, urn, PENDING)
    calls = simulator.calls("UpdateModelPackage")
    connector.clock.advance(timedelta(minutes=1))
    row = await settled(connector)
    assert "somebody else" in row["note"]
    assert simulator.calls("UpdateModelPackage") == calls


async def test_a_source_that_is_told_to_restore_puts_back_what_drifted_before(
    simulator: Simulator, sagemaker: Any, eve: Any, store: Database, clock: FrozenClock
) -> None:
    urn = await register(sagemaker, "churn")
    reporting = Source(name="demo", region=world.REGION, write_back=True)
    async with world.connected(store, clock, source=reporting) as connector:
        await connector.first()
        await sets(eve, urn, "Approved")
        await connector.poll()
        await until(lambda: nothing_due(connector), within_s=10)
        assert await connector.rows("select from write_backs") == []
    restoring = reporting.model_copy(update={"on_drift": "restore"})
    for _ in range(2):
        async with world.connected(store, clock, source=restoring) as connector:
            await settled(connector)
            assert (await approval(sagemaker, urn))[0] == PENDING
    assert simulator.calls("UpdateModelPackage") == 2


async def test_who_reads_and_who_decides_take_turns(store: Database) -> None:
    """Whichever of the two is first, in the end it is known that what was found is what was decided."""
    for first, urn in (("reads", f"{PACKAGE}/1"), ("decides", f"{PACKAGE}/2")):
        async with store.transaction() as uow:
            assert await approvals.told(await uow.sql(), "demo", [observed(urn, PENDING, minute=0)]) == {}
        decision = said(urn, ACCEPTED, 1)

        async def read(urn: str = urn) -> dict[str, ApprovalDrift]:
            async with store.transaction() as uow:
                return await approvals.told(await uow.sql(), "demo", [observed(urn, "Approved", minute=1)])

        async def decide(decision: CloudEvent = decision) -> None:
            async with store.transaction() as uow:
                await write_back.apply(uow, [decision])

        async with store.transaction() as uow:
            if first == "reads":
                found = await approvals.told(await uow.sql(), "demo", [observed(urn, "Approved", minute=1)])
                assert found[urn].wanted is None
            else:
                await write_back.apply(uow, [decision])
            second: asyncio.Task[Any] = asyncio.create_task(decide() if first == "reads" else read())
            await until(lambda: somebody_waits(store), within_s=10)
        assert not await second, "who came second knows of both"
        async with store.connection() as connection:
            row = await connection.fetchrow("select * from approvals where key = $1", urn)
        assert (row["wanted"], row["due"]) == ("Approved", True)
        assert await read() == {}


WAITING = "select count(*) > 0 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"


async def somebody_waits(store: Database) -> bool:
    async with store.connection() as connection:
        waits: bool = await connection.fetchval(WAITING)
        return waits


def observed(urn: str, status: str, *, minute: int) -> ModelVersionObserved:
    noon = world.now().now()
    return ModelVersionObserved(
        urn=urn,
        source="demo",
        name="churn",
        source_status="Completed",
        source_approval_status=status,
        created_at=noon,
        modified_at=noon + timedelta(minutes=minute),
        modified_by=EVE,
        content_hash="sha256:0",
    )


async def test_a_random_life_ends_as_the_book_says(
    simulator: Simulator, sagemaker: Any, eve: Any, connect: Connect
) -> None:
    """Hand edits, decisions and readings in any order, with what SageMaker says looked up whenever all is at rest."""
    dice = random.Random(seed := secrets.randbits(32))
    first = dice.choice([PENDING, "Approved", "Rejected"])
    urn = await register(sagemaker, "churn", ModelApprovalStatus=first)
    connector = await connect(write_back=True)
    right, wanted, sequence = first, None, 0
    steps = []
    for _ in range(12):
        match dice.choice(["edit", "edit", "decide", "full"]):
            case "edit":
                steps.append(edit := dice.choice([PENDING, "Approved", "Rejected"]))
                await sets(eve, urn, edit)
            case "decide":
                steps.append(status := dice.choice(list(WANTED)))
                sequence += 1
                await hear(connector, said(urn, status, sequence))
                right = wanted = WANTED[status]
            case _:
                steps.append("full")
                await connector.full()
        await until(lambda: at_rest(connector), within_s=20)
        await connector.poll()
        says, _ = await approval(sagemaker, urn)
        if says == wanted:
            right = says
        found = await drift(connector, urn)
        story = f"seed {seed}: {first}, {steps}"
        assert (found is None) == (says in (wanted, right)), story
        if found is not None:
            assert (found.found, found.wanted, found.by) == (says, wanted, EVE), story
    events = await told(connector, urn)
    assert len(events) == len([event for event, _ in groupby(await bodies(connector, urn))]), "nothing is told twice"


WANTED = {ACCEPTED: "Approved", REJECTED: "Rejected", SUSPENDED: PENDING}


async def at_rest(connector: Connector) -> bool:
    open_ones = await connector.rows("select from write_backs where state = 'pending'")
    return not open_ones and await nothing_due(connector)


async def bodies(connector: Connector, urn: str) -> list[Any]:
    return [event.data for event in await connector.events(OBSERVED) if event.subject == urn]


async def test_another_version_under_an_arn_of_old_begins_anew(
    simulator: Simulator, sagemaker: Any, eve: Any, connect: Connect
) -> None:
    urn = await register(sagemaker, "churn")
    connector = await connect(write_back=True)
    created_at = (await connector.versions())[urn].created_at
    await hear(connector, said(urn, ACCEPTED, 1, version_created_at=created_at))
    await settled(connector)
    await sagemaker.delete_model_package(ModelPackageName=urn)
    await sagemaker.delete_model_package_group(ModelPackageGroupName="churn")
    assert await register(eve, "churn", ModelApprovalStatus="Approved") == urn
    await connector.full()
    found = await drift(connector, urn)
    assert found is not None
    assert (found.found, found.wanted) == ("Approved", None)
    await settled(connector, "void")
    assert simulator.calls("UpdateModelPackage") == APPROVAL_AND_LABELS
