"""Changes heard of by EventBridge and SQS: seen without a poll, read from the registry, deleted when they are kept.

The connector's clock stands still in these stories, so no poll and no full sync comes by itself.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from assent_common.clock import FrozenClock
from assent_local.simulator import Simulator, running

from tests.connector import world
from tests.connector.conftest import Connect, client
from tests.connector.test_deployments import OBSERVED as DEPLOYED
from tests.connector.test_deployments import serve
from tests.connector.test_training_jobs import train
from tests.connector.world import OBSERVED, Connector, register
from tests.support.wait import until

QUEUE = "sagemaker-changes"
ACCOUNT = "123456789012"


@pytest.fixture
async def simulator(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Simulator]:
    """One whose rule sends what happens to packages to a queue."""
    async with running(events_queue=QUEUE) as simulator:
        for name, value in simulator.environment.items():
            monkeypatch.setenv(name, value)
        yield simulator


@pytest.fixture
def url(simulator: Simulator) -> str:
    return f"{simulator.url}/{ACCOUNT}/{QUEUE}"


@pytest.fixture
async def sqs(simulator: Simulator) -> AsyncIterator[Any]:
    async with client("sqs", simulator.url) as sqs:
        yield sqs


Send = Callable[[object], Awaitable[None]]


@pytest.fixture
def send(sqs: Any, url: str) -> Send:
    """What other rules send, and what nobody should."""

    async def send(message: object) -> None:
        body = message if isinstance(message, str) else json.dumps(message)
        await sqs.send_message(QueueUrl=url, MessageBody=body)

    return send


@pytest.fixture
async def left(sqs: Any, url: str) -> Callable[[], Awaitable[int]]:
    """How many messages are on the queue, those that are being worked on included."""

    async def left() -> int:
        answer = await sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        return sum(int(count) for name, count in answer["Attributes"].items() if name.startswith("ApproximateNumber"))

    return left


def changed(urn: str, **detail: Any) -> dict[str, Any]:
    return {
        "detail-type": "SageMaker Model Package State Change",
        "source": "aws.sagemaker",
        "account": ACCOUNT,
        "region": world.REGION,
        "resources": [urn],
        "detail": {"ModelPackageArn": urn, **detail},
    }


def endpoint_changed(name: str) -> dict[str, Any]:
    return {
        **changed(""),
        "detail-type": "SageMaker Endpoint State Change",
        "detail": {"EndpointName": name},
    }


def called(operation: str, **given: Any) -> dict[str, Any]:
    return {
        **changed(""),
        "detail-type": "AWS API Call via CloudTrail",
        "detail": {"eventName": operation, "requestParameters": given},
    }


async def told_of(connector: Connector, urn: str, times: int = 1) -> list[Any]:
    async def told() -> list[Any]:
        events = [event for event in await connector.events(OBSERVED) if event.subject == urn]
        return events if len(events) >= times else []

    return await until(told, within_s=20)


async def hints(connector: Connector) -> list[Any]:
    return await connector.rows("select * from hints order by kind, ref")


async def test_a_version_is_seen_and_its_message_deleted_without_a_poll(
    sagemaker: Any, connect: Connect, url: str, left: Callable[[], Awaitable[int]]
) -> None:
    connector = await connect(events_queue_url=url)

    urn = await register(sagemaker, "churn", ModelPackageDescription="First")

    (event,) = await told_of(connector, urn)
    assert event.data["description"] == "First"
    assert (await connector.events(world.MODEL_OBSERVED))[0].data["name"] == "churn"
    await sagemaker.update_model_package(ModelPackageArn=urn, ModelApprovalStatus="Rejected")
    assert (await told_of(connector, urn, 2))[-1].data["source_approval_status"] == "Rejected"

    async def nothing_left() -> bool:
        return await left() == 0 and not await hints(connector)

    await until(nothing_left, within_s=20)
    assert [run.mode for run in await connector.runs()] == ["full"]


async def test_what_a_message_says_is_not_believed(
    sagemaker: Any, connect: Connect, url: str, send: Send, left: Callable[[], Awaitable[int]]
) -> None:
    urn = await register(sagemaker, "churn", ModelApprovalStatus="PendingManualApproval")
    connector = await connect(events_queue_url=url)

    await send(changed(urn, ModelApprovalStatus="Approved", ModelPackageDescription="<b>the best</b>"))

    async def none_left() -> bool:
        return await left() == 0

    await until(none_left, within_s=20)
    (event,) = [event for event in await connector.events(OBSERVED) if event.subject == urn]
    assert event.data["source_approval_status"] == "PendingManualApproval"


async def test_a_message_stays_on_the_queue_until_what_it_names_could_be_read(
    simulator: Simulator,
    sagemaker: Any,
    connect: Connect,
    clock: FrozenClock,
    url: str,
    left: Callable[[], Awaitable[int]],
) -> None:
    connector = await connect(events_queue_url=url)
    simulator.dial(throttle={"DescribeModelPackage": 1.0})

    urn = await register(sagemaker, "churn")

    async def tried() -> Any:
        return [hint for hint in await hints(connector) if hint["attempts"]]

    (hint,) = await until(tried, within_s=60)
    assert "Throttling" in hint["reason"]
    assert await left() == 1
    assert await connector.events(OBSERVED) == []

    simulator.dial()
    clock.advance(timedelta(minutes=10))
    await told_of(connector, urn)

    async def none_left() -> bool:
        return await left() == 0

    await until(none_left, within_s=20)


async def test_a_burst_about_one_version_costs_a_look_a_batch_at_the_most(
    simulator: Simulator, sagemaker: Any, connect: Connect, url: str, left: Callable[[], Awaitable[int]]
) -> None:
    urn = await register(sagemaker, "churn")
    for number in range(59):
        await sagemaker.update_model_package(ModelPackageArn=urn, CustomerMetadataProperties={"n": str(number)})
    assert await left() == 60

    connector = await connect(events_queue_url=url, plan="search")

    async def none_left() -> bool:
        return await left() == 0

    await until(none_left, within_s=60)
    assert (await connector.versions())[urn].properties["n"] == "58"
    sampled, batches_of_ten = 1, 6
    assert simulator.calls("DescribeModelPackage") <= sampled + batches_of_ten


async def test_a_version_that_is_not_there_yet_is_asked_for_again(
    sagemaker: Any, connect: Connect, clock: FrozenClock, url: str, send: Send
) -> None:
    first = await register(sagemaker, "churn")
    connector = await connect(events_queue_url=url)
    urn = first.replace("/1", "/2")

    await send(changed(urn))

    async def asked() -> Any:
        return [hint for hint in await hints(connector) if hint["attempts"] == 1]

    (hint,) = await until(asked, within_s=20)
    assert hint["reason"] == "it does not exist (yet)"
    assert await register(sagemaker, "churn") == urn
    clock.advance(timedelta(seconds=5))
    await told_of(connector, urn)


async def test_a_version_that_is_gone_is_given_up_and_not_removed_by_an_event(
    sagemaker: Any, connect: Connect, clock: FrozenClock, url: str, send: Send
) -> None:
    urn = await register(sagemaker, "churn")
    connector = await connect(events_queue_url=url)
    await sagemaker.delete_model_package(ModelPackageName=urn)

    await send(called("DeleteModelPackage", modelPackageName=urn))

    async def given_up() -> Any:
        found = await hints(connector)
        clock.advance(timedelta(seconds=1))
        return [hint for hint in found if hint["failed_at"]]

    (hint,) = await until(given_up, within_s=30)
    assert (hint["ref"], hint["attempts"]) == (urn, 4)
    assert urn in await connector.versions(), "two complete listings alone remove it"


async def test_what_is_no_event_is_kept_with_its_reason_and_the_rest_flows(
    sagemaker: Any, connect: Connect, url: str, send: Send, left: Callable[[], Awaitable[int]]
) -> None:
    connector = await connect(events_queue_url=url, role_arn=f"arn:aws:iam::{ACCOUNT}:role/assent")

    await send("{not json \0")
    await send(changed("arn:aws:sagemaker:eu-central-1:999999999999:model-package/other/1"))
    urn = await register(sagemaker, "churn")
    await told_of(connector, urn)

    async def none_left() -> bool:
        return await left() == 0

    await until(none_left, within_s=20)
    (kept,) = [hint for hint in await hints(connector) if hint["failed_at"]]
    assert (kept["kind"], kept["body"]) == ("unreadable", "{not json ")
    assert "not JSON" in kept["reason"]


async def test_an_endpoint_that_an_event_names_is_told(sagemaker: Any, connect: Connect, url: str, send: Send) -> None:
    urn = await register(sagemaker, "churn")
    connector = await connect(events_queue_url=url)
    deployment = await serve(sagemaker, "live", urn)

    await send(endpoint_changed("live"))

    async def told() -> Any:
        return await connector.events(DEPLOYED)

    (event,) = await until(told, within_s=20)
    assert (event.subject, event.data["model_version"]) == (deployment, urn)


async def test_a_training_job_that_an_event_names_is_read_before_its_time(
    simulator: Simulator, sagemaker: Any, connect: Connect, url: str, send: Send
) -> None:
    job = await train(sagemaker, "churn-2026-11")
    urn = await register(sagemaker, "churn", MetadataProperties={"GeneratedBy": job})
    simulator.dial(denied=["Search", "DescribeTrainingJob"])
    connector = await connect(events_queue_url=url)
    assert "not authorized" in (await told_of(connector, urn))[-1].data["unread"]["training"]
    simulator.dial()

    detail = {"TrainingJobArn": job, "TrainingJobStatus": "Completed"}
    await send({**changed(""), "detail-type": "SageMaker Training Job State Change", "detail": detail})

    async def is_trained() -> bool:
        (*_, last) = await told_of(connector, urn)
        return last.data["training"] is not None

    await until(is_trained, within_s=20)


async def test_tags_of_a_model_that_cloudtrail_recorded_reach_its_versions(
    sagemaker: Any, connect: Connect, url: str, send: Send
) -> None:
    urn = await register(sagemaker, "churn")
    connector = await connect(events_queue_url=url)
    group = (await sagemaker.describe_model_package_group(ModelPackageGroupName="churn"))["ModelPackageGroupArn"]
    await sagemaker.add_tags(ResourceArn=group, Tags=[{"Key": "owner", "Value": "retail"}])

    await send(called("AddTags", resourceArn=group))

    assert (await told_of(connector, urn, 2))[-1].data["tags"] == {"owner": "retail"}
