"""Training jobs that more than one source names, that ran in another account, or that were known before an upgrade."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from assent_common import migrations
from assent_common.clock import FrozenClock
from assent_common.database import Database
from assent_common.health import Health
from assent_local.simulator import Simulator
from assent_local.simulator.caller import access_key_for
from assent_sagemaker.dropped import Dropping
from assent_sagemaker.reports import FIRST_RETRY, LONGEST_RETRY
from assent_sagemaker.sources import Source

from tests.connector import world
from tests.connector.conftest import client
from tests.connector.test_training_jobs import loads, train
from tests.connector.world import Connector, connected, register
from tests.support.wait import until

REGISTRY, TRAINING = "111111111111", "222222222222"
BEFORE_JOBS = 9
"""The number of the schema's step before training jobs were kept."""


def reader(name: str, account: str, **settings: Any) -> Source:
    role = f"arn:aws:iam::{account}:role/assent"
    return Source(**{"name": name, "region": world.REGION, "role_arn": role, **settings})


@pytest.fixture
async def of_registry(simulator: Simulator) -> AsyncIterator[Any]:
    async with client("sagemaker", simulator.url, key=access_key_for(REGISTRY)) as sagemaker:
        yield sagemaker


@pytest.fixture
async def of_training(simulator: Simulator) -> AsyncIterator[Any]:
    async with client("sagemaker", simulator.url, key=access_key_for(TRAINING)) as sagemaker:
        yield sagemaker


Join = Callable[..., Awaitable[Connector]]


@pytest.fixture
async def join(store: Database, clock: FrozenClock) -> AsyncIterator[Join]:
    """One more source, read by a process of its own."""
    async with AsyncExitStack() as stack:

        async def join(source: Source, **given: Any) -> Connector:
            return await stack.enter_async_context(connected(store, clock, source=source, **given))

        yield join


async def told(connector: Connector, urn: str, of: Callable[[Any], object]) -> Any:
    async def is_told() -> Any:
        version = (await connector.versions()).get(urn)
        return version if version is not None and of(version) else None

    return await until(is_told, within_s=20)


async def test_a_job_of_another_account_is_read_by_the_source_that_reads_there(
    simulator: Simulator, of_registry: Any, of_training: Any, join: Join, clock: FrozenClock
) -> None:
    job = await train(of_training, "churn-2026-11")
    assert f":{TRAINING}:" in job
    # One of the same name, which made something else.
    await train(of_registry, "churn-2026-11")
    urn = await register(of_registry, "churn", MetadataProperties={"GeneratedBy": job})
    registry, training = reader("registry", REGISTRY), reader("training", TRAINING)
    connector = await join(registry, others=[training])

    async def asked() -> bool:
        return bool(await connector.rows("select from job_readings where source = 'training' and due_at is not null"))

    await until(asked, within_s=20)
    await join(training, others=[registry])

    async def read() -> bool:
        return bool(await connector.rows("select from job_readings where source = 'training' and document is not null"))

    await until(read, within_s=20)
    version = await told(connector, urn, lambda version: version.training)
    assert (version.training.urn, version.source, version.unread) == (job, "registry", {})
    (settled,) = await connector.rows("select * from job_readings where source = 'registry'")
    await until(lambda: _is_settled(connector), within_s=20)
    assert settled["key"] == job


async def _is_settled(connector: Connector) -> bool:
    return not await connector.rows("select from job_readings where due_at is not null")


async def test_a_job_of_an_account_that_no_source_reads_says_which(
    of_registry: Any, join: Join, clock: FrozenClock
) -> None:
    job = f"arn:aws:sagemaker:eu-central-1:{TRAINING}:training-job/churn"
    urn = await register(of_registry, "churn", MetadataProperties={"GeneratedBy": job})
    connector = await join(reader("registry", REGISTRY), others=[reader("elsewhere", TRAINING, region="eu-west-1")])
    version = await told(connector, urn, lambda version: version.unread)
    assert (version.training_job, version.training) == (job, None)
    assert version.unread == {"training": f"it ran in account {TRAINING}, region eu-central-1, which no source reads"}


async def test_a_source_that_comes_later_reads_it(
    of_registry: Any, of_training: Any, store: Database, clock: FrozenClock
) -> None:
    job = await train(of_training, "churn")
    urn = await register(of_registry, "churn", MetadataProperties={"GeneratedBy": job})
    registry, training = reader("registry", REGISTRY), reader("training", TRAINING)
    async with connected(store, clock, source=registry) as connector:
        await told(connector, urn, lambda version: version.unread)
        await until(lambda: _has_given_up(connector), within_s=20)
    clock.advance(LONGEST_RETRY)
    async with (
        connected(store, clock, source=registry, others=[training]) as connector,
        connected(store, clock, source=training, others=[registry]),
    ):
        assert (await told(connector, urn, lambda version: version.training)).unread == {}


async def _has_given_up(connector: Connector) -> bool:
    return bool(
        await connector.rows("select from job_readings where attempts > 0 and due_at > $1", connector.clock.now())
    )


async def test_a_job_that_a_dropped_source_noted_is_read_by_another_that_names_it(
    simulator: Simulator, sagemaker: Any, store: Database, clock: FrozenClock
) -> None:
    simulator.dial(denied=["Search", "DescribeTrainingJob"])
    job = await train(sagemaker, "churn")
    await register(sagemaker, "churn", MetadataProperties={"GeneratedBy": job})
    first = Source(name="first", region=world.REGION, include=("churn",))
    second = Source(name="second", region=world.REGION, include=("fraud",))
    async with connected(store, clock, source=first) as connector:
        await connector.first()
    await Dropping({}, store, Health(clock), clock, keep=LONGEST_RETRY).look()
    assert await connector.rows("select from source_leases where dropped_at is not null")

    simulator.dial()
    urn = await register(sagemaker, "fraud", MetadataProperties={"GeneratedBy": job})
    async with connected(store, clock, source=second) as connector:
        version = await told(connector, urn, lambda version: version.training)
    assert (version.training.urn, version.source) == (job, "second")


async def test_what_one_source_has_read_another_one_takes(
    simulator: Simulator, sagemaker: Any, store: Database, clock: FrozenClock
) -> None:
    job = await train(sagemaker, "churn")
    for group in ("churn", "fraud"):
        urn = await register(sagemaker, group, MetadataProperties={"GeneratedBy": job})
    async with connected(store, clock, source=Source(name="first", region=world.REGION, include=("churn",))) as one:
        await one.first()
    simulator.dial(denied=["DescribeTrainingJob"])
    second = Source(name="second", region=world.REGION, include=("fraud",), plan="describe")
    async with connected(store, clock, source=second) as connector:
        assert (await told(connector, urn, lambda version: version.training)).training.urn == job
    assert simulator.calls("DescribeTrainingJob") == 0


async def test_a_version_that_was_kept_before_jobs_were_is_told_with_its_job_at_once(
    sagemaker: Any, store: Database, clock: FrozenClock
) -> None:
    job = await train(sagemaker, "churn-2026-11")
    urn = await register(sagemaker, "churn", MetadataProperties={"GeneratedBy": job})
    async with connected(store, clock, beside=False) as connector:
        await until(lambda: _is_read(connector, runs=1), within_s=30)
    (head,) = await connector.rows("select version_num::int as number from alembic_version")
    await migrations.upgrade(store, "assent_sagemaker", revision=f"-{head['number'] - BEFORE_JOBS}")
    assert await connector.rows("select from records where urn = $1", urn)
    assert not await connector.rows("select from information_schema.columns where column_name = 'training_job'")
    await migrations.upgrade(store, "assent_sagemaker")
    assert [row["training_job"] for row in await connector.rows("select * from records where urn = $1", urn)] == [None]

    async with connected(store, clock) as connector:
        # As by a new release.
        await connector.full()
        version = await told(connector, urn, lambda version: version.training)
    assert version.training.urn == job
    numbers = [event.number for event in await connector.events(world.OBSERVED)]
    assert numbers == [1, 2]


async def _is_read(connector: Connector, *, runs: int) -> bool:
    return len([run for run in await connector.runs() if run.finished_at]) >= runs


async def test_what_could_not_be_read_by_the_one_is_read_when_it_can_be(
    simulator: Simulator, of_registry: Any, of_training: Any, join: Join, clock: FrozenClock
) -> None:
    job = await train(of_training, "churn")
    urn = await register(of_registry, "churn", MetadataProperties={"GeneratedBy": job})
    registry, training = reader("registry", REGISTRY), reader("training", TRAINING)
    simulator.dial(denied=["Search", "DescribeTrainingJob"])
    await join(training, others=[registry])
    connector = await join(registry, others=[training])

    async def tried() -> bool:
        return bool(await connector.rows("select from job_readings where source = 'training' and reason is not null"))

    await until(tried, within_s=20)
    simulator.dial()
    clock.advance(FIRST_RETRY)
    assert (await told(connector, urn, lambda version: version.training)).training.urn == job


async def test_a_job_that_only_the_artifact_names_is_found_in_the_account_that_trained_it(
    of_registry: Any, of_training: Any, join: Join, clock: FrozenClock
) -> None:
    job = await train(of_training, "churn-2026-11")
    artifact = "s3://models/churn/churn-2026-11/output/model.tar.gz"
    urn = await register(of_registry, "churn", InferenceSpecification=loads(artifact))
    registry, training = reader("registry", REGISTRY), reader("training", TRAINING)
    # In another region there may be one of that name, too.
    others = [training, reader("elsewhere", TRAINING, region="eu-west-1")]
    connector = await join(registry, others=others)
    await join(training, others=[registry])

    async def read() -> bool:
        return bool(await connector.rows("select from job_readings where source = 'training' and document is not null"))

    await until(read, within_s=20)
    assert not await connector.rows("select from job_readings where source = 'elsewhere'")
    clock.advance(FIRST_RETRY)
    version = await told(connector, urn, lambda version: version.training)
    assert (version.training.urn, version.training.found_by, version.source) == (job, "artifact", "registry")
    assert (version.training_job, version.unread) == ("churn-2026-11", {})
    await until(lambda: _is_settled(connector), within_s=20)


async def test_a_job_of_that_name_that_put_its_model_elsewhere_is_another_one(
    of_registry: Any, of_training: Any, join: Join, clock: FrozenClock
) -> None:
    await train(of_training, "churn-2026-11")
    artifact = "s3://theirs/churn-2026-11/output/model.tar.gz"
    urn = await register(of_registry, "churn", InferenceSpecification=loads(artifact))
    registry, training = reader("registry", REGISTRY), reader("training", TRAINING)
    connector = await join(registry, others=[training])
    await join(training, others=[registry])

    async def read() -> bool:
        return bool(await connector.rows("select from job_readings where source = 'training' and document is not null"))

    await until(read, within_s=20)
    clock.advance(FIRST_RETRY)
    version = await told(connector, urn, lambda version: version.unread)
    assert version.unread == {"training": "there is no training job of this name (any more)"}
    assert version.training is None
    await until(lambda: _is_settled(connector), within_s=20)
