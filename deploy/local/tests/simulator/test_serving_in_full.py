"""Roll-outs, inference components, batch transforms and monitoring, as an account shows them."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from assent_common.clock import FrozenClock
from assent_local.simulator import Simulator, monitoring, running
from assent_local.simulator.caller import DEFAULT_ACCOUNT, DEFAULT_REGION, Place
from botocore.exceptions import ClientError

from .conftest import connect

ROLE = "arn:aws:iam::123456789012:role/ml"
HOME = Place(DEFAULT_ACCOUNT, DEFAULT_REGION)
VARIANT = {"VariantName": "all", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
CANARY = {
    "BlueGreenUpdatePolicy": {
        "TrafficRoutingConfiguration": {
            "Type": "CANARY",
            "WaitIntervalInSeconds": 600,
            "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 10},
        }
    }
}
RESOURCES = {"InstanceType": "ml.m5.large", "InstanceCount": 1}


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(datetime(2026, 11, 24, 12, tzinfo=UTC))


@pytest.fixture
async def simulator(clock: FrozenClock) -> AsyncIterator[Simulator]:
    async with running(clock=clock) as simulator, connect("sagemaker", simulator.url) as sagemaker:
        for name in ("old", "new"):
            await sagemaker.create_model(
                ModelName=name,
                PrimaryContainer={"Image": "xgboost:1", "ModelDataUrl": f"s3://models/{name}.tar.gz"},
                ExecutionRoleArn=ROLE,
            )
            await sagemaker.create_endpoint_config(
                EndpointConfigName=name, ProductionVariants=[{**VARIANT, "ModelName": name}]
            )
        await sagemaker.create_endpoint_config(
            EndpointConfigName="pool", ProductionVariants=[VARIANT], ExecutionRoleArn=ROLE
        )
        await sagemaker.create_endpoint(EndpointName="live", EndpointConfigName="old")
        await sagemaker.create_endpoint(EndpointName="pool", EndpointConfigName="pool")
        yield simulator


async def test_a_canary_serves_beside_what_it_is_to_replace(sagemaker: Any, clock: FrozenClock) -> None:
    await sagemaker.update_endpoint(EndpointName="live", EndpointConfigName="new", DeploymentConfig=CANARY)

    during = await sagemaker.describe_endpoint(EndpointName="live")
    assert (during["EndpointStatus"], during["EndpointConfigName"]) == ("Updating", "old")
    assert during["PendingDeploymentSummary"]["EndpointConfigName"] == "new"
    assert during["PendingDeploymentSummary"]["ProductionVariants"][0]["CurrentWeight"] == 0.1
    assert during["ProductionVariants"][0]["CurrentWeight"] == 0.9
    with pytest.raises(ClientError, match="in-progress"):
        await sagemaker.update_endpoint(EndpointName="live", EndpointConfigName="old")

    clock.advance(timedelta(minutes=10))

    after = await sagemaker.describe_endpoint(EndpointName="live")
    assert (after["EndpointStatus"], after["EndpointConfigName"]) == ("InService", "new")
    assert "PendingDeploymentSummary" not in after
    assert after["LastModifiedTime"] > during["LastModifiedTime"]


async def test_weights_are_set_anew(sagemaker: Any) -> None:
    await sagemaker.update_endpoint_weights_and_capacities(
        EndpointName="live", DesiredWeightsAndCapacities=[{"VariantName": "all", "DesiredWeight": 3.0}]
    )

    assert (await sagemaker.describe_endpoint(EndpointName="live"))["ProductionVariants"][0]["CurrentWeight"] == 3.0
    with pytest.raises(ClientError, match="could not be found"):
        await sagemaker.update_endpoint_weights_and_capacities(
            EndpointName="live", DesiredWeightsAndCapacities=[{"VariantName": "none", "DesiredWeight": 1.0}]
        )


async def test_a_component_goes_with_its_endpoint(sagemaker: Any) -> None:
    await sagemaker.create_inference_component(
        InferenceComponentName="Base",
        EndpointName="pool",
        VariantName="all",
        Specification={"ModelName": "new", "ComputeResourceRequirements": {"MinMemoryRequiredInMb": 128}},
        RuntimeConfig={"CopyCount": 1},
    )
    await sagemaker.create_inference_component(
        InferenceComponentName="adapter",
        EndpointName="pool",
        Specification={
            "BaseInferenceComponentName": "Base",
            "Container": {"ArtifactUrl": "s3://models/adapter.tar.gz", "Image": "lora:1"},
        },
    )

    listed = await sagemaker.list_inference_components(EndpointNameEquals="pool")
    adapter = await sagemaker.describe_inference_component(InferenceComponentName="adapter")
    (shown,) = [
        each["Model"]
        for each in (await sagemaker.search(Resource="Model"))["Results"]
        if each["Model"]["Model"]["ModelName"] == "new"
    ]
    assert [each["InferenceComponentName"] for each in listed["InferenceComponents"]] == ["Base", "adapter"]
    assert adapter["VariantName"] == "all"
    assert adapter["Specification"]["Container"] == {
        "ArtifactUrl": "s3://models/adapter.tar.gz",
        "DeployedImage": {"SpecifiedImage": "lora:1"},
    }
    assert [each["EndpointName"] for each in shown["Endpoints"]] == ["pool"]

    await sagemaker.delete_endpoint(EndpointName="pool")

    assert (await sagemaker.list_inference_components())["InferenceComponents"] == []


async def test_a_model_is_shown_with_how_it_is_watched(
    sagemaker: Any, simulator: Simulator, clock: FrozenClock
) -> None:
    await _schedule(sagemaker, "quality", {"EndpointInput": {"EndpointName": "live", "LocalPath": "/opt/ml/input"}})
    store, at = simulator.app.store, clock.now().timestamp()
    monitoring.execute(store, HOME, "quality", "Completed", at - 3600)
    monitoring.execute(store, HOME, "quality", "CompletedWithViolations", at)
    monitoring.alert(store, HOME, "quality", "drift", "InAlert", at)

    (schedule,) = (await _dashboard(sagemaker, "old"))["MonitoringSchedules"]
    assert schedule["LastMonitoringExecutionSummary"]["MonitoringExecutionStatus"] == "CompletedWithViolations"
    assert [alert["AlertStatus"] for alert in schedule["MonitoringAlertSummaries"]] == ["InAlert"]
    assert (await _dashboard(sagemaker, "new"))["MonitoringSchedules"] == []
    executions = await sagemaker.list_monitoring_executions(MonitoringScheduleName="quality", SortBy="ScheduledTime")
    assert [each["MonitoringExecutionStatus"] for each in executions["MonitoringExecutionSummaries"]] == [
        "CompletedWithViolations",
        "Completed",
    ]
    alerts = await sagemaker.list_monitoring_alerts(MonitoringScheduleName="quality")
    assert alerts["MonitoringAlertSummaries"][0]["AlertStatus"] == "InAlert"


async def test_a_model_is_shown_with_its_last_batch_transform_alone(sagemaker: Any, clock: FrozenClock) -> None:
    captured = "s3://captured/new"
    for number in (1, 2):
        clock.advance(timedelta(minutes=1))
        await sagemaker.create_transform_job(
            TransformJobName=f"night-{number}",
            ModelName="new",
            TransformInput={"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://in/"}}},
            TransformOutput={"S3OutputPath": "s3://out/"},
            TransformResources=RESOURCES,
            DataCaptureConfig={"DestinationS3Uri": captured},
        )
    await _schedule(
        sagemaker,
        "nightly",
        {
            "BatchTransformInput": {
                "DataCapturedDestinationS3Uri": captured,
                "DatasetFormat": {"Csv": {"Header": True}},
                "LocalPath": "/opt/ml/input",
            }
        },
    )

    shown = await _dashboard(sagemaker, "new")
    assert shown["LastBatchTransformJob"]["TransformJobName"] == "night-2"
    assert [each["MonitoringScheduleName"] for each in shown["MonitoringSchedules"]] == ["nightly"]
    summaries = (await sagemaker.list_transform_jobs(CreationTimeAfter=clock.now()))["TransformJobSummaries"]
    assert [each["TransformJobName"] for each in summaries] == []
    assert (await sagemaker.describe_transform_job(TransformJobName="night-1"))["ModelName"] == "new"


async def _dashboard(sagemaker: Any, model: str) -> Any:
    results = (await sagemaker.search(Resource="Model"))["Results"]
    (shown,) = [each["Model"] for each in results if each["Model"]["Model"]["ModelName"] == model]
    return shown


async def _schedule(sagemaker: Any, name: str, watched: dict[str, Any]) -> None:
    await sagemaker.create_monitoring_schedule(
        MonitoringScheduleName=name,
        MonitoringScheduleConfig={
            "MonitoringType": "ModelQuality",
            "MonitoringJobDefinition": {
                "MonitoringInputs": [watched],
                "MonitoringOutputConfig": {
                    "MonitoringOutputs": [{"S3Output": {"S3Uri": "s3://out/", "LocalPath": "/opt/ml/output"}}]
                },
                "MonitoringResources": {"ClusterConfig": {**RESOURCES, "VolumeSizeInGB": 10}},
                "MonitoringAppSpecification": {"ImageUri": "analyzer:1"},
                "RoleArn": ROLE,
            },
        },
    )
