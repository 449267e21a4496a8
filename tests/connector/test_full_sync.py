"""A source read whole: everything that it has, once, by few calls, whatever goes wrong on the way."""

import asyncio
from collections import Counter
from typing import Any

import httpx
import pytest
from assent_common.events.registry import Kind, MetricsStatus, ModelObserved, ModelVersionObserved, SyncCompleted
from assent_local.simulator import Simulator
from assent_sagemaker import reading
from assent_sagemaker.runs import Status
from assent_sagemaker.sync.full import SAMPLE

from tests.connector import world
from tests.connector.conftest import Connect, client
from tests.support.wait import until

OF_REPORTS = {"metrics", "metrics_status", "metrics_reason", "reports", "type", "content", "content_hash"}
LISTINGS = 3
"""Calls by which a source that shares nothing is listed: its groups, its packages, and what others share."""


async def seed(simulator: Simulator, groups: int, versions: int) -> None:
    async with httpx.AsyncClient() as http:
        seed = {"groups": groups, "versions": versions, "prefix": "seeded"}
        answer = await http.post(f"{simulator.url}/_simulator/seed", json=seed)
        assert answer.json() == {"versions": groups * versions}


async def test_the_demo_company_is_told_whole_and_once(company: Simulator, connect: Connect) -> None:
    async with client("sagemaker", company.url) as sagemaker:
        listed = await sagemaker.list_model_packages(ModelPackageType="Both", MaxResults=100)
        groups = await sagemaker.list_model_package_groups()
    arns = {summary["ModelPackageArn"] for summary in listed["ModelPackageSummaryList"]}
    assert len(arns) >= 40

    connector = await connect()

    events = await connector.events()
    assert {e.subject for e in events if e.type == world.OBSERVED} == arns
    assert {e.subject for e in events if e.type == world.MODEL_OBSERVED} == {
        group["ModelPackageGroupArn"] for group in groups["ModelPackageGroupSummaryList"]
    }
    # Once what the registry says of it, and once the job that made it, which is read beside the run.
    first = [event for event in events if event.number == 1]
    assert max(Counter(event.subject for event in first).values()) == 1
    again = [event for event in events if event.number > 1]
    assert max(Counter(event.subject for event in again).values()) == 1
    assert {tuple(event.data["changed_fields"]) for event in again} == {("datasets", "training")}
    (completed,) = [event.payload for event in events if event.type == world.COMPLETED]
    assert isinstance(completed, SyncCompleted)
    assert completed.census[Kind.MODEL_VERSION].live == len(arns)
    assert len({event.correlationid for event in first}) == 1
    assert all(event.traceparent for event in events)


async def test_a_version_is_told_with_its_metrics_tags_and_model(company: Simulator, connect: Connect) -> None:
    connector = await connect()
    models = {
        event.subject: event.payload
        for event in await connector.events(world.MODEL_OBSERVED)
        if isinstance(event.payload, ModelObserved)
    }
    versions = await connector.versions()
    measured = [v for v in versions.values() if v.metrics and v.metrics_status is MetricsStatus.COMPLETE]
    assert len(measured) >= 20
    versioned = [version for version in versions.values() if version.model]
    assert len(versioned) >= 39
    for version in versioned:
        assert version.model in models
        assert version.tags == models[version.model].tags
        assert version.raw["ModelPackageArn"] == version.urn


# Of whoever registers it here.
@pytest.mark.filterwarnings("ignore:Sending a large body")
async def test_what_is_too_large_for_an_event_goes_without_its_document_or_is_skipped_and_spoils_nothing(
    simulator: Simulator, sagemaker: Any, connect: Connect
) -> None:
    def containers(many: int, letter: str) -> dict[str, Any]:
        environment = {f"name_{number}": letter * 1024 for number in range(100)}
        container = {"Image": "registry.example.com/xgboost:1.7", "Environment": environment}
        return {"InferenceSpecification": {**world.SPECIFICATION, "Containers": [container] * many}}

    small = await world.register(sagemaker, "churn")
    large = await world.register(sagemaker, "churn", **containers(6, "a"))
    # Fewer letters than an event has bytes, and more bytes.
    too_large = await world.register(sagemaker, "churn", **containers(5, "\u6f22"))
    connector = await connect()
    versions = await connector.versions()
    assert versions[small].raw is not None
    assert versions[large].raw is None
    assert len(versions[large].content["inference_specification"]["Containers"]) == 6
    assert too_large not in versions
    (run, *_) = await connector.runs()
    assert (run.status, run.counts["unmappable"]) == (Status.COMPLETED, 1)


async def test_a_thousand_versions_cost_a_call_a_hundred(
    simulator: Simulator, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of a page whose reports take longer than this, the versions are told without them first, and so twice.
    monkeypatch.setattr(reading, "SOON_S", 60.0)
    await seed(simulator, 20, 50)
    connector = await connect()
    versions = await connector.versions()
    assert len(versions) == 1000
    assert sum(version.metrics_status is MetricsStatus.COMPLETE for version in versions.values()) == 1000
    calls = simulator.app.calls
    # The newest change, the groups, the packages, and the models with how they are watched.
    assert calls["Search"] == 1 + 1 + 10 + 1
    assert calls["ListModelPackages"] == 10
    assert calls["ListModelPackageGroups"] == 1 + 1
    assert calls["DescribeModelPackage"] == 3
    assert calls["GetObject"] == 1000

    calls.clear()
    run = await connector.full()
    assert run.status is Status.COMPLETED
    assert run.counts["changed"] == 0
    assert (calls["ListEndpoints"], calls["ListInferenceComponents"]) == (1, 1)
    assert sum(calls.values()) == 13 + 10 + 2 + 3 + 2
    assert len(await connector.events()) == 1000 + 20 + 2


async def test_a_source_without_search_is_read_by_describe(company: Simulator, connect: Connect) -> None:
    company.dial(denied=["Search"])
    connector = await connect()
    (source,) = await connector.rows("select * from sources")
    assert source["plan"] == "describe"
    assert "not authorized" in source["plan_reason"]
    described = await connector.versions()

    company.dial()
    run = await connector.full()
    assert run.plan == "search"
    assert run.counts["changed"] == 0, "both ways tell the same"
    assert len(described) >= 40


async def test_what_search_has_not_indexed_is_described(simulator: Simulator, connect: Connect) -> None:
    await seed(simulator, 1, 5)
    simulator.dial(search_frozen=True)
    await seed_more(simulator)
    connector = await connect()
    assert len(await connector.versions()) == 7


async def seed_more(simulator: Simulator) -> None:
    async with client("sagemaker", simulator.url) as sagemaker:
        for _ in range(2):
            await world.register(sagemaker, "fresh")


async def test_thousands_that_are_registered_while_it_is_read_are_not_described_one_by_one(
    simulator: Simulator, sagemaker: Any, connect: Connect
) -> None:
    await world.register(sagemaker, "churn")
    connector = await connect()
    simulator.app.calls.clear()
    simulator.dial(answers=LISTINGS)
    reading = asyncio.create_task(connector.full())
    # The listings are answered, and what is asked next waits.
    await until(lambda: simulator.app.calls.total() > LISTINGS, within_s=30)
    assert simulator.calls("ListModelPackages") == 1
    await seed(simulator, 3, 100)
    simulator.dial()
    await reading
    assert len(await connector.versions()) == 301
    assert simulator.calls("ListModelPackages") <= 1 + 4
    assert simulator.calls("DescribeModelPackage") <= SAMPLE


async def test_what_only_a_stale_index_shows_is_not_there(simulator: Simulator, connect: Connect) -> None:
    async with client("sagemaker", simulator.url) as sagemaker:
        await world.register(sagemaker, "churn")
        deleted = await world.register(sagemaker, "churn")
        simulator.app.sagemaker  # noqa: B018 - the index has seen both
        await sagemaker.search(Resource="ModelPackage")
        simulator.dial(search_frozen=True)
        await sagemaker.delete_model_package(ModelPackageName=deleted)
    connector = await connect()
    versions = await connector.versions()
    assert len(versions) == 1
    assert deleted not in versions


async def test_throttling_and_expired_tokens_lose_nothing(simulator: Simulator, connect: Connect) -> None:
    await seed(simulator, 5, 60)
    simulator.dial(throttle={"*": 0.3, "GetObject": 0}, expired_tokens=3, empty_pages=0.2)
    connector = await connect()
    run = (await connector.runs())[0]
    assert run.status is Status.COMPLETED, run.error
    assert len(await connector.versions()) == 300
    told = await connector.events()
    assert max(Counter((event.subject, event.number) for event in told).values()) == 1
    # What a loaded machine does not get from S3 within seconds is told with its values afterwards, and nothing else is.
    again = [event.data for event in told if event.type == world.OBSERVED and event.number > 1]
    assert all(set(version["changed_fields"]) <= OF_REPORTS for version in again)


async def test_only_the_groups_that_are_wanted_are_read(company: Simulator, connect: Connect) -> None:
    connector = await connect(include=["*churn*"])
    versions = [v for v in (await connector.versions()).values() if isinstance(v, ModelVersionObserved)]
    assert versions
    assert all("churn" in version.name for version in versions)


async def test_an_account_that_does_not_answer_is_a_degraded_service_with_a_reason(
    simulator: Simulator, connect: Connect
) -> None:
    simulator.dial(denied=["ListModelPackageGroups"])
    connector = await connect()
    await until(lambda: connector.health.components["sources"].state == "failing", within_s=10)
    (run, *_) = await connector.runs()
    assert run.status is Status.FAILED
    assert "not authorized" in (run.error or "")
    simulator.dial()
    assert (await connector.full()).status is Status.COMPLETED
    await until(lambda: connector.health.components["sources"].state == "working", within_s=10)
