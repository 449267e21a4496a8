"""The training job of a version is told with it: what it ran, on which data, and what it measured."""

from typing import Any

from assent_common.clock import FrozenClock
from assent_common.events.registry import DatasetRole, ModelVersionObserved
from assent_local.simulator import Simulator
from assent_sagemaker.reports import FIRST_RETRY

from tests.connector import world
from tests.connector.conftest import Connect
from tests.connector.world import Connector, register
from tests.support.wait import until

IMAGE = "registry.example.com/xgboost:1.7"
ROLE = "arn:aws:iam::123456789012:role/training"


async def train(sagemaker: Any, name: str) -> str:
    """The job's ARN."""
    job = await sagemaker.create_training_job(
        TrainingJobName=name,
        HyperParameters={"max_depth": "6"},
        AlgorithmSpecification={"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        RoleArn=ROLE,
        InputDataConfig=[channel("train", "s3://data/churn/train/"), channel("validation", "s3://data/churn/val/")],
        OutputDataConfig={"S3OutputPath": "s3://models/churn"},
        ResourceConfig={"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 10},
        StoppingCondition={"MaxRuntimeInSeconds": 3600},
    )
    return str(job["TrainingJobArn"])


def channel(name: str, uri: str) -> dict[str, Any]:
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}}
    return {"ChannelName": name, "DataSource": source, "ContentType": "text/csv"}


def loads(uri: str) -> dict[str, Any]:
    return {**world.SPECIFICATION, "Containers": [{"Image": IMAGE, "ModelDataUrl": uri}]}


async def is_trained(connector: Connector, urn: str) -> ModelVersionObserved:
    async def told() -> bool:
        version = (await connector.versions()).get(urn)
        return version is not None and (version.training is not None or bool(version.unread))

    await until(told, within_s=10)
    version: ModelVersionObserved = (await connector.versions())[urn]
    return version


async def test_it_is_told_with_its_image_parameters_and_data(sagemaker: Any, connect: Connect) -> None:
    job = await train(sagemaker, "churn-2026-11")
    urn = await register(sagemaker, "churn", MetadataProperties={"GeneratedBy": job})
    connector = await connect()
    version = await is_trained(connector, urn)
    assert version.training is not None
    assert (version.training.urn, version.training.found_by, version.training.status) == (
        *(job, "generated_by"),
        "Completed",
    )
    assert (version.training.image, version.training.hyperparameters) == (IMAGE, {"max_depth": "6"})
    assert version.training.output == "s3://models/churn/churn-2026-11/output/model.tar.gz"
    assert [(data.role, data.urn, data.content_type) for data in version.datasets] == [
        (DatasetRole.TRAINING, "s3://data/churn/train/", "text/csv"),
        (DatasetRole.VALIDATION, "s3://data/churn/val/", "text/csv"),
    ]


async def test_it_is_found_by_where_the_artifact_lies(sagemaker: Any, connect: Connect) -> None:
    job = await train(sagemaker, "churn-2026-11")
    artifact = "s3://models/churn/churn-2026-11/output/model.tar.gz"
    urn = await register(sagemaker, "churn", InferenceSpecification=loads(artifact))
    version = await is_trained(await connect(), urn)
    assert version.training is not None
    assert (version.training.urn, version.training.found_by) == (job, "artifact")


async def test_one_that_made_many_versions_is_asked_for_once(
    simulator: Simulator, sagemaker: Any, connect: Connect
) -> None:
    job = await train(sagemaker, "churn-2026-11")
    urns = [await register(sagemaker, "churn", MetadataProperties={"GeneratedBy": job}) for _ in range(5)]
    connector = await connect()
    for urn in urns:
        assert (await is_trained(connector, urn)).training is not None
    later = await register(sagemaker, "churn", MetadataProperties={"GeneratedBy": job})
    simulator.app.calls.clear()
    await connector.poll()
    assert (await connector.versions())[later].training is not None
    assert simulator.calls("DescribeTrainingJob") == 0
    told = len(await connector.events())
    await connector.full()
    assert [event.type for event in (await connector.events())[told:]] == [world.COMPLETED]


async def test_what_search_does_not_show_is_described(simulator: Simulator, sagemaker: Any, connect: Connect) -> None:
    simulator.dial(denied=["Search"])
    job = await train(sagemaker, "churn-2026-11")
    urn = await register(sagemaker, "churn", MetadataProperties={"GeneratedBy": job})
    version = await is_trained(await connect(), urn)
    assert version.training is not None
    assert simulator.calls("DescribeTrainingJob") == 1


async def test_one_that_may_not_be_read_is_said_and_tried_again(
    simulator: Simulator, sagemaker: Any, connect: Connect, clock: FrozenClock
) -> None:
    simulator.dial(denied=["Search", "DescribeTrainingJob"])
    job = await train(sagemaker, "churn-2026-11")
    urn = await register(sagemaker, "churn", MetadataProperties={"GeneratedBy": job})
    connector = await connect()
    version = await is_trained(connector, urn)
    assert version.training is None
    assert "not authorized" in version.unread["training"]
    before = version.content_hash

    simulator.dial()
    clock.advance(FIRST_RETRY)

    async def read() -> bool:
        return not (await connector.versions())[urn].unread

    await until(read, within_s=10)
    version = (await connector.versions())[urn]
    assert version.training is not None
    assert version.content_hash == before


async def test_one_that_is_gone_is_said_and_not_asked_for_again(
    simulator: Simulator, sagemaker: Any, connect: Connect
) -> None:
    artifact = "s3://models/churn/long-ago/output/model.tar.gz"
    urn = await register(sagemaker, "churn", InferenceSpecification=loads(artifact))
    connector = await connect()
    version = await is_trained(connector, urn)
    assert (version.training_job, version.training) == ("long-ago", None)
    assert version.unread == {"training": "there is no training job of this name (any more)"}

    async def settled() -> bool:
        (job,) = await connector.rows("select * from job_readings")
        return job["due_at"] is None

    await until(settled, within_s=10)
