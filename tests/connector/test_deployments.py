"""What serves model versions: told, changed and removed as everything else; and what may not be read is said."""

from typing import Any

from assent_local.simulator import Simulator

from tests.connector import world
from tests.connector.conftest import Connect
from tests.connector.world import register, types

OBSERVED = "assent.registry.deployment.observed.v1"
VARIANT = {"VariantName": "main", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large", "InitialVariantWeight": 1.0}


async def serve(sagemaker: Any, name: str, urn: str) -> str:
    """The deployment's urn."""
    role = "arn:aws:iam::123456789012:role/serving"
    await sagemaker.create_model(
        ModelName=f"{name}-model", PrimaryContainer={"ModelPackageName": urn}, ExecutionRoleArn=role
    )
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
    await connector.poll()
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
