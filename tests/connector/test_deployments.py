"""What serves model versions: told, changed and removed as everything else; and what may not be read is said."""

from typing import Any

from assent_local.simulator import Simulator, monitoring
from assent_local.simulator.caller import DEFAULT_ACCOUNT, Place

from tests.connector import world
from tests.connector.conftest import Connect
from tests.connector.world import SPECIFICATION, Connector, register, types

OBSERVED = "assent.registry.deployment.observed.v1"
VARIANT = {"VariantName": "main", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large", "InitialVariantWeight": 1.0}


ROLE = "arn:aws:iam::123456789012:role/serving"
HOME = Place(DEFAULT_ACCOUNT, world.REGION)
RESOURCES = {"InstanceType": "ml.m5.large", "InstanceCount": 1}


async def serve(sagemaker: Any, name: str, urn: str | None = None, **container: str) -> str:
    """The deployment's urn."""
    given = {"ModelPackageName": urn} if urn else container
    await sagemaker.create_model(ModelName=f"{name}-model", PrimaryContainer=given, ExecutionRoleArn=ROLE)
    await sagemaker.create_endpoint_config(
        EndpointConfigName=f"{name}-config", ProductionVariants=[{**VARIANT, "ModelName": f"{name}-model"}]
    )
    endpoint = await sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=f"{name}-config")
    return f"{endpoint['EndpointArn']}/variant/main"


async def test_an_endpoint_is_told_with_the_version_it_serves(
    simulator: Simulator, sagemaker: Any, connect: Connect
) -> None:
    urn = await register(sagemaker, "churn")
    connector = await connect()
    deployment = await serve(sagemaker, "live", urn)
    await connector.poll()
    (event,) = await connector.events(OBSERVED)
    assert (event.subject, event.data["model_version"], event.data["status"]) == (deployment, urn, "InService")
    assert (await connector.census()).census["deployment"].live == 1  # type: ignore[index]

    other = await register(sagemaker, "churn")
    await serve(sagemaker, "spare", other)
    await sagemaker.update_endpoint(EndpointName="live", EndpointConfigName="spare-config")
    await polls(connector, 2)
    last = {event.subject: event for event in await connector.events(OBSERVED)}
    assert len(last) == 2
    assert (last[deployment].number, last[deployment].data["model_version"]) == (2, other)

    await sagemaker.delete_endpoint(EndpointName="live")
    await connector.full()
    await connector.full()
    told = [event for event in await connector.events() if event.subject == deployment]
    assert types(told) == ["deployment.observed", "deployment.observed", "deployment.removed"]


async def test_endpoints_that_may_not_be_read_are_noted_and_stay(
    simulator: Simulator, sagemaker: Any, connect: Connect
) -> None:
    urn = await register(sagemaker, "churn")
    await serve(sagemaker, "live", urn)
    connector = await connect()
    simulator.dial(denied=["ListEndpoints"])
    for _ in range(3):
        assert (await connector.full()).status == "completed"
    assert "assent.registry.deployment.removed.v1" not in {event.type for event in await connector.events()}
    (source,) = await connector.rows("select notes from sources")
    assert "endpoints may not be listed" in source["notes"][0]
    simulator.dial(denied=["DescribeModel"])
    for _ in range(3):
        assert (await connector.full()).status == "completed"
    assert len(await connector.events(OBSERVED)) == 1
    assert len(await connector.versions()) == 1
    assert world.COMPLETED in {event.type for event in await connector.events()}


async def last(connector: Connector) -> dict[str, Any]:
    """What was told last of each deployment, by its name."""
    return {event.data["name"]: event.data for event in await connector.events(OBSERVED)}


async def polls(connector: Connector, times: int = 6) -> None:
    """So many that everything that serves had its turn."""
    for _ in range(times):
        await connector.poll()


async def test_a_component_serves_on_an_endpoint_that_has_no_model(sagemaker: Any, connect: Connect) -> None:
    urn = await register(sagemaker, "churn")
    await sagemaker.create_endpoint_config(
        EndpointConfigName="pool", ProductionVariants=[VARIANT], ExecutionRoleArn=ROLE
    )
    endpoint = (await sagemaker.create_endpoint(EndpointName="pool", EndpointConfigName="pool"))["EndpointArn"]
    connector = await connect()
    assert await last(connector) == {}

    await sagemaker.create_model(ModelName="m", PrimaryContainer={"ModelPackageName": urn}, ExecutionRoleArn=ROLE)
    await sagemaker.create_inference_component(
        InferenceComponentName="churn",
        EndpointName="pool",
        VariantName="main",
        Specification={"ModelName": "m", "ComputeResourceRequirements": {"MinMemoryRequiredInMb": 128}},
        RuntimeConfig={"CopyCount": 1},
    )
    await polls(connector)
    component = (await last(connector))["churn"]
    assert (component["kind"], component["model_version"], component["endpoint"]) == (
        *("inference_component", urn),
        endpoint,
    )
    await connector.full()
    assert len(await connector.events(OBSERVED)) == 1

    await sagemaker.delete_inference_component(InferenceComponentName="churn")
    await connector.full()
    await connector.full()
    assert (await connector.events())[-2].type == "assent.registry.deployment.removed.v1"


async def test_the_batch_transforms_of_a_model_are_one_deployment(sagemaker: Any, connect: Connect) -> None:
    urn = await register(sagemaker, "churn")
    await sagemaker.create_model(ModelName="m", PrimaryContainer={"ModelPackageName": urn}, ExecutionRoleArn=ROLE)
    await transform(sagemaker, "monday")
    connector = await connect()
    told = (await last(connector))["monday"]
    assert (told["kind"], told["model_version"], told["status"]) == ("batch_transform", urn, "Completed")

    await transform(sagemaker, "tuesday")
    await polls(connector)
    one, other = await connector.events(OBSERVED)
    assert (one.subject, one.number, other.subject, other.number) == (one.subject, 1, one.subject, 2)
    assert other.data["name"] == "tuesday"
    await connector.full()
    assert len(await connector.events(OBSERVED)) == 2, "Search and Describe say the same of one job"


async def test_what_a_monitor_finds_is_told_within_a_few_polls(
    simulator: Simulator, sagemaker: Any, connect: Connect
) -> None:
    await serve(sagemaker, "live", await register(sagemaker, "churn"))
    await watch(sagemaker, "quality", "live")
    connector = await connect()
    (monitor,) = (await last(connector))["live"]["monitors"]
    assert (monitor["name"], monitor["type"], monitor["last_execution_status"]) == ("quality", "ModelQuality", None)

    at = connector.clock.now().timestamp()
    monitoring.execute(simulator.app.store, HOME, "quality", "CompletedWithViolations", at, "f1 is below 0.8")
    await polls(connector)
    (monitor,) = (await last(connector))["live"]["monitors"]
    assert monitor["last_execution_status"] == "CompletedWithViolations"
    told = len(await connector.events(OBSERVED))
    await polls(connector)
    assert len(await connector.events(OBSERVED)) == told


async def test_a_version_registered_after_it_serves_is_matched_by_its_artifact(
    sagemaker: Any, connect: Connect
) -> None:
    """The registry may be another account's: there, versions come to be that serve here."""
    where = SPECIFICATION["Containers"][0]["ModelDataUrl"]
    await serve(sagemaker, "live", Image="registry.example.com/xgboost:1.7", ModelDataUrl=where)
    connector = await connect()
    assert (await last(connector))["live"]["model_version"] is None
    urn = await register(sagemaker, "churn")
    await polls(connector, 2)
    live = (await last(connector))["live"]
    assert (live["model_version"], live["matched_by"]) == (urn, "artifact")


async def test_an_image_that_they_share_links_nothing(sagemaker: Any, connect: Connect) -> None:
    await register(sagemaker, "churn")
    image = SPECIFICATION["Containers"][0]["Image"]
    await serve(sagemaker, "live", Image=image, ModelDataUrl="s3://models/another.tar.gz")
    connector = await connect()
    live = (await last(connector))["live"]
    assert (live["model_version"], live["matched_by"]) == (None, None)


async def test_a_group_a_package_and_a_model_of_one_name_are_three_things(sagemaker: Any, connect: Connect) -> None:
    urn = await register(sagemaker, "churn")
    alone = await sagemaker.create_model_package(ModelPackageName="churn", InferenceSpecification=SPECIFICATION)
    await sagemaker.create_model(ModelName="churn", PrimaryContainer={"ModelPackageName": urn}, ExecutionRoleArn=ROLE)
    await sagemaker.create_endpoint_config(
        EndpointConfigName="churn", ProductionVariants=[{**VARIANT, "ModelName": "churn"}]
    )
    await sagemaker.create_endpoint(EndpointName="churn", EndpointConfigName="churn")
    connector = await connect()
    versions = await connector.versions()
    assert set(versions) == {urn, alone["ModelPackageArn"]}
    assert (versions[urn].model is None, versions[alone["ModelPackageArn"]].model) == (False, None)
    (deployment,) = await connector.events(OBSERVED)
    assert deployment.data["model_version"] == urn
    assert len(await connector.events(world.MODEL_OBSERVED)) == 1


async def test_components_that_may_not_be_listed_leave_the_rest_as_it_is(
    simulator: Simulator, sagemaker: Any, connect: Connect
) -> None:
    gone = await serve(sagemaker, "gone", await register(sagemaker, "churn"))
    await serve(sagemaker, "live", await register(sagemaker, "churn"))
    await transform(sagemaker, "monday", model="live-model")
    connector = await connect()
    simulator.dial(denied=["ListInferenceComponents", "Search"])
    await sagemaker.delete_endpoint(EndpointName="gone")
    for _ in range(3):
        assert (await connector.full()).status == "completed"
    removed = [e.subject for e in await connector.events() if e.type == "assent.registry.deployment.removed.v1"]
    assert removed == [gone]
    (source,) = await connector.rows("select notes from sources")
    assert any("components may not be listed" in note for note in source["notes"])
    assert any("monitored is not known" in note for note in source["notes"])


async def transform(sagemaker: Any, name: str, model: str = "m") -> None:
    await sagemaker.create_transform_job(
        TransformJobName=name,
        ModelName=model,
        TransformInput={"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://in/"}}},
        TransformOutput={"S3OutputPath": "s3://out/"},
        TransformResources=RESOURCES,
    )


async def watch(sagemaker: Any, name: str, endpoint: str) -> None:
    await sagemaker.create_monitoring_schedule(
        MonitoringScheduleName=name,
        MonitoringScheduleConfig={
            "MonitoringType": "ModelQuality",
            "MonitoringJobDefinition": {
                "MonitoringInputs": [{"EndpointInput": {"EndpointName": endpoint, "LocalPath": "/opt/ml/input"}}],
                "MonitoringOutputConfig": {
                    "MonitoringOutputs": [{"S3Output": {"S3Uri": "s3://out/", "LocalPath": "/opt/ml/output"}}]
                },
                "MonitoringResources": {"ClusterConfig": {**RESOURCES, "VolumeSizeInGB": 10}},
                "MonitoringAppSpecification": {"ImageUri": "analyzer:1"},
                "RoleArn": ROLE,
            },
        },
    )
