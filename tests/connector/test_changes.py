"""Polling: each change is told once, and a source that stands still costs next to nothing."""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from assent_common.clock import FrozenClock
from assent_common.database import Database
from assent_common.events.registry import Kind
from assent_local.simulator import Simulator, running
from assent_sagemaker import arns, state
from assent_sagemaker.reports import Reports
from assent_sagemaker.sync.rounds import GROUPS_EVERY

from tests.connector import world
from tests.connector.conftest import Connect, client
from tests.connector.world import register, types


async def test_a_changed_version_is_one_event(simulator: Simulator, sagemaker: Any, connect: Connect) -> None:
    urn = await register(sagemaker, "churn")
    connector = await connect()
    told = len(await connector.events())

    await sagemaker.update_model_package(ModelPackageArn=urn, CustomerMetadataProperties={"owner": "ada"})
    await connector.poll()

    changed, completed = (await connector.events())[told:]
    assert (changed.type, changed.subject, changed.number) == (world.OBSERVED, urn, 2)
    assert changed.data["properties"] == {"owner": "ada"}
    assert changed.data["changed_fields"] == ["modified_at", "modified_by", "properties", "raw"]
    assert (completed.type, completed.data["changed"], completed.data["mode"]) == (world.COMPLETED, 1, "incremental")
    assert completed.data["census"]["model_version"] == {"live": 1, "sequences": 2}

    await connector.poll()
    await connector.poll()
    assert len(await connector.events()) == told + 2


@pytest.mark.parametrize("apart", [timedelta(hours=-3), timedelta(hours=3)])
async def test_what_changed_is_found_by_the_sources_own_clock_however_wrong_ours_is(
    store: Database, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch, apart: timedelta
) -> None:
    theirs = FrozenClock(clock.now() + apart)
    async with running(clock=theirs) as simulator, client("sagemaker", simulator.url) as sagemaker:
        for name, value in simulator.environment.items():
            monkeypatch.setenv(name, value)
        urn = await register(sagemaker, "churn")
        async with world.connected(store, clock) as connector:
            await connector.first()
            for tries in (1, 2):
                theirs.advance(timedelta(minutes=1))
                await sagemaker.update_model_package(
                    ModelPackageArn=urn, CustomerMetadataProperties={"tries": str(tries)}
                )
                await connector.poll()
                version = (await connector.versions())[urn]
                assert version.properties == {"tries": str(tries)}
                assert version.modified_at == theirs.now()
            told = await connector.events()
            await connector.poll()
            assert await connector.events() == told, "nothing is taken for changed"


async def test_a_new_version_is_one_event_with_its_metrics(
    simulator: Simulator, sagemaker: Any, s3: Any, connect: Connect
) -> None:
    connector = await connect()
    told = len(await connector.events())
    await s3.put_object(Bucket="reports", Key="1.json", Body=b'{"regression_metrics": {"rmse": {"value": 0.31}}}')
    urn = await register(sagemaker, "prices", ModelMetrics=world.metrics_at("s3://reports/1.json"))
    await connector.poll()
    events = (await connector.events())[told:]
    assert types(events) == ["model.observed", "model_version.observed", "sync.completed"]
    assert events[1].subject == urn
    assert events[1].data["metrics"]["rmse"]["value"] == 0.31


async def test_a_new_version_that_is_not_indexed_yet_is_told_all_the_same(
    simulator: Simulator, sagemaker: Any, connect: Connect
) -> None:
    connector = await connect()
    simulator.dial(search_frozen=True)
    urn = await register(sagemaker, "churn")
    await connector.poll()
    assert list(await connector.versions()) == [urn]
    simulator.dial()
    told = len(await connector.events())
    await connector.poll()
    assert len(await connector.events()) == told


async def test_a_registry_that_stands_still_costs_three_calls_and_tells_nothing(
    company: Simulator, connect: Connect
) -> None:
    connector = await connect()
    told = len(await connector.events())
    runs = len(await connector.runs())
    asked = []
    for _ in range(2 * GROUPS_EVERY):
        company.app.calls.clear()
        await connector.poll()
        asked.append(dict(company.app.calls))
    assert [sum(calls.values()) for calls in asked] == [3] * 2 * GROUPS_EVERY
    looking_at_groups = [calls for calls in asked if calls["Search"] == 2]
    assert len(looking_at_groups) == 2
    others = [calls for calls in asked if calls not in looking_at_groups]
    assert [calls["ListModelPackages"] for calls in others] == [1] * (2 * GROUPS_EVERY - 2)
    assert [calls["ListEndpoints"] for calls in asked[::2]] == [1] * GROUPS_EVERY
    by_turns = [next(iter(calls.keys() - {"Search", "ListModelPackages"})) for calls in asked[1::2]]
    assert by_turns[:3] == ["ListInferenceComponents", "ListTransformJobs", "ListMonitoringExecutions"]
    assert len(await connector.events()) == told
    assert len(await connector.runs()) == runs


async def test_changed_tags_of_a_model_are_told_of_its_versions_too(
    simulator: Simulator, sagemaker: Any, connect: Connect
) -> None:
    urns = {await register(sagemaker, "churn") for _ in range(3)}
    connector = await connect()
    told = len(await connector.events())
    (group,) = (await sagemaker.list_model_package_groups())["ModelPackageGroupSummaryList"]
    await sagemaker.add_tags(ResourceArn=group["ModelPackageGroupArn"], Tags=[{"Key": "team", "Value": "care"}])
    for _ in range(GROUPS_EVERY):
        await connector.poll()
    events = (await connector.events())[told:]
    assert types(events) == ["model.observed", *["model_version.observed"] * 3, "sync.completed"]
    assert {event.subject for event in events[1:4]} == urns
    assert all(event.data["tags"] == {"team": "care"} for event in events[:4])


async def test_a_group_made_again_under_its_name_is_another_one(
    simulator: Simulator, sagemaker: Any, s3: Any, connect: Connect
) -> None:
    await s3.put_object(Bucket="reports", Key="1.json", Body=b'{"regression_metrics": {"rmse": {"value": 0.31}}}')
    urn = await register(sagemaker, "prices", ModelMetrics=world.metrics_at("s3://reports/1.json"))
    connector = await connect()
    before = (await connector.versions())[urn]

    await sagemaker.delete_model_package(ModelPackageName=urn)
    await sagemaker.delete_model_package_group(ModelPackageGroupName="prices")
    again = await register(sagemaker, "prices", ModelMetrics=world.metrics_at("s3://reports/2.json"))
    assert again == urn
    await connector.poll()

    after = (await connector.versions())[urn]
    assert after.created_at > before.created_at
    assert after.metrics == {}
    assert after.metrics_status == "unreadable"


async def test_without_search_a_poll_describes_what_is_new_or_different(
    simulator: Simulator, sagemaker: Any, connect: Connect
) -> None:
    old = await register(sagemaker, "churn")
    connector = await connect(plan="describe")
    told = len(await connector.events())
    simulator.app.calls.clear()
    await connector.poll()
    assert len(await connector.events()) == told
    assert dict(simulator.app.calls) == {"ListModelPackageGroups": 1, "ListModelPackages": 1, "ListEndpoints": 1}

    await sagemaker.update_model_package(ModelPackageArn=old, ModelApprovalStatus="Rejected")
    new = await register(sagemaker, "churn")
    simulator.app.calls.clear()
    await connector.poll()
    assert simulator.calls("DescribeModelPackage") == 2
    assert {e.subject for e in (await connector.events())[told:] if e.type == world.OBSERVED} == {old, new}


async def test_a_failing_poll_says_so_once_and_goes_on_where_it_was(
    simulator: Simulator, sagemaker: Any, connect: Connect, clock: FrozenClock
) -> None:
    urn = await register(sagemaker, "churn")
    connector = await connect()
    runs = len(await connector.runs())
    simulator.dial(errors={"Search": 1})
    await sagemaker.update_model_package(ModelPackageArn=urn, ModelApprovalStatus="Rejected")
    await connector.poll()
    assert connector.health.components["sources"].state == "failing"
    assert len(await connector.runs()) == runs + 1
    simulator.dial()
    await connector.poll()
    assert (await connector.versions())[urn].source_approval_status == "Rejected"
    assert connector.health.components["sources"].state == "working"


async def test_who_keep_the_same_new_thing_at_once_keep_it_once(store: Database, clock: FrozenClock) -> None:
    """As a first full sync and the reader of a hint do."""

    async def keep(number: int) -> Mapping[str, int]:
        arn = f"arn:aws:sagemaker:eu-central-1:123456789012:model-package-group/Churn{number}"
        async with store.transaction() as uow:
            return await state.upsert(await uow.sql(), "demo", [_a_model(arn, clock.now())], clock.now())

    for number in range(100):
        at_once = await asyncio.gather(*(keep(number) for _ in range(4)))
        assert sorted(len(kept) for kept in at_once) == [0, 0, 0, 1]


def _a_model(arn: str, at: datetime) -> state.Row:
    return state.Row(
        key=arns.key(arn),
        urn=arn,
        kind=Kind.MODEL,
        model=None,
        hash="1",
        document={},
        document_hash="1",
        summary_hash=None,
        content_hash=None,
        tags={},
        artifacts=[],
        reports=Reports(),
        created_at=at,
        modified_at=None,
        training_job=None,
    )
