"""Decisions written back: once each, whatever comes twice, late or in between, and without starting another round."""

from collections.abc import Sequence
from datetime import datetime, timedelta
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


async def test_a_source_without_write_back_is_only_read(simulator: Simulator, sagemaker: Any, connect: Connect) -> None:
    urn = await register(sagemaker, "churn")
    connector = await connect()
    await hear(connector, said(urn, ACCEPTED, 3))
    await connector.poll()
    await connector.full()
    assert simulator.calls("UpdateModelPackage") == 0
    assert (await connector.rows("select state from write_backs"))[0]["state"] == "pending"
