"""What is gone: two complete listings in a row, never one, and never an incomplete one."""

from typing import Any

from assent_local.simulator import Simulator
from assent_sagemaker.runs import Status

from tests.connector import world
from tests.connector.conftest import Connect
from tests.connector.world import Connector, register


async def removed(connector: Connector) -> list[str]:
    return [event.subject for event in await connector.events(world.REMOVED)]


async def test_exactly_two_listings_prove_that_a_version_is_gone(
    simulator: Simulator, sagemaker: Any, connect: Connect
) -> None:
    stays, goes = await register(sagemaker, "churn"), await register(sagemaker, "churn")
    connector = await connect()
    await sagemaker.delete_model_package(ModelPackageName=goes)
    await connector.poll()
    await connector.full()
    assert await removed(connector) == []
    run = await connector.full()
    assert await removed(connector) == [goes]
    assert run.counts["removed"] == 1
    assert list(await connector.versions()) == [stays]
    (event,) = await connector.events(world.REMOVED)
    assert event.number == 2
    assert (await connector.census()).census["model_version"].live == 1  # type: ignore[index]
    await connector.full()
    assert await removed(connector) == [goes]


async def test_what_is_listed_again_in_between_was_never_gone(
    simulator: Simulator, sagemaker: Any, connect: Connect
) -> None:
    await register(sagemaker, "churn")
    await sagemaker.create_model_package(ModelPackageName="alone", InferenceSpecification=world.SPECIFICATION)
    connector = await connect()
    await sagemaker.delete_model_package(ModelPackageName="alone")
    await connector.full()
    await sagemaker.create_model_package(ModelPackageName="alone", InferenceSpecification=world.SPECIFICATION)
    await connector.full()
    await sagemaker.delete_model_package(ModelPackageName="alone")
    await connector.full()
    assert await removed(connector) == []
    await connector.full()
    assert len(await removed(connector)) == 1


async def test_what_reappears_is_observed_again(simulator: Simulator, sagemaker: Any, connect: Connect) -> None:
    await register(sagemaker, "churn")
    urn = (await sagemaker.create_model_package(ModelPackageName="alone", InferenceSpecification=world.SPECIFICATION))[
        "ModelPackageArn"
    ]
    connector = await connect()
    await sagemaker.delete_model_package(ModelPackageName="alone")
    await connector.full()
    await connector.full()
    assert await removed(connector) == [urn]
    await sagemaker.create_model_package(ModelPackageName="alone", InferenceSpecification=world.SPECIFICATION)
    await connector.poll()
    told = [event for event in await connector.events() if event.subject == urn]
    assert world.types(told) == ["model_version.observed", "model_version.removed", "model_version.observed"]
    assert [event.number for event in told] == [1, 2, 3]


async def test_a_listing_that_fails_on_its_way_removes_nothing(
    simulator: Simulator, sagemaker: Any, connect: Connect
) -> None:
    await register(sagemaker, "churn")
    goes = await register(sagemaker, "churn")
    connector = await connect()
    await sagemaker.delete_model_package(ModelPackageName=goes)
    simulator.dial(denied=["ListModelPackages"])
    for _ in range(3):
        assert (await connector.full()).status is Status.FAILED
    simulator.dial()
    assert await removed(connector) == []
    await connector.full()
    assert await removed(connector) == []
    await connector.full()
    assert await removed(connector) == [goes]


async def test_a_stale_index_does_not_bring_back_what_is_gone(
    simulator: Simulator, sagemaker: Any, connect: Connect
) -> None:
    await register(sagemaker, "churn")
    goes = await register(sagemaker, "churn")
    connector = await connect()
    await sagemaker.search(Resource="ModelPackage")
    simulator.dial(search_frozen=True)
    await sagemaker.delete_model_package(ModelPackageName=goes)
    await connector.full()
    await connector.full()
    await connector.full()
    await connector.poll()
    told = [event for event in await connector.events() if event.subject == goes]
    assert world.types(told) == ["model_version.observed", "model_version.removed"]


async def test_the_share_is_a_setting(simulator: Simulator, sagemaker: Any, connect: Connect) -> None:
    urns = [await register(sagemaker, "churn") for _ in range(24)]
    connector = await connect(max_removal_share=0.1)
    for urn in urns[:3]:
        await sagemaker.delete_model_package(ModelPackageName=urn)
    for _ in range(3):
        await connector.full()
    assert await removed(connector) == []
    await register(sagemaker, "churn")
    await sagemaker.delete_model_package(ModelPackageName=urns[5])
    for _ in range(2):
        await connector.full()
    assert await removed(connector) == []
