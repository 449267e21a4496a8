"""moto as a second opinion: one scenario on both, compared field by field; each difference is named with its reason."""

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import pytest
from assent_local.simulator import Simulator
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer

from .conftest import connect, specification

GIVEN: Mapping[str, Any] = {
    "ModelPackageDescription": 'Retrained on "October"',
    "InferenceSpecification": specification(),
    "ModelApprovalStatus": "PendingManualApproval",
    "MetadataProperties": {"CommitId": "abc", "GeneratedBy": "pipeline"},
    "ModelMetrics": {
        "ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": "s3://models/evaluation.json"}}
    },
    "Domain": "MACHINE_LEARNING",
    "Task": "CLASSIFICATION",
    "CustomerMetadataProperties": {"owner": "ada", "team": "crm"},
}

#: Where moto is not like SageMaker, or not like the simulator, when a version has just been registered.
REGISTERED_OTHERWISE = {
    "CreationTime": "two clocks",
    "CreatedBy": "moto makes up a Studio user",
    "LastModifiedTime": "moto has none before the first update",
    "ModelPackageStatusDetails": "moto makes up a validation and a scan",
    "InferenceSpecification": "SageMaker finds out the image's digest",
}


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
async def second(moto: str) -> AsyncIterator[Any]:
    async with connect("sagemaker", moto) as sagemaker:
        yield sagemaker


@pytest.fixture
def both(sagemaker: Any, second: Any) -> tuple[Any, Any]:
    return sagemaker, second


async def test_a_registered_version_is_described_alike(both: tuple[Any, Any]) -> None:
    ours, theirs = [await _registered(registry, "described") for registry in both]

    assert _differences(ours, theirs) == set(REGISTERED_OTHERWISE)
    assert {"ModelPackageArn", "ModelPackageVersion", "ModelMetrics", *GIVEN} <= set(ours) & set(theirs)
    ours_container, theirs_container = (each["InferenceSpecification"]["Containers"][0] for each in (ours, theirs))
    assert _differences(ours_container, theirs_container) == {"ImageDigest"}


async def test_lists_are_alike(both: tuple[Any, Any]) -> None:
    for registry in both:
        for _ in range(3):
            await _registered(registry, "listed")

    async def listed(registry: Any, **asked: Any) -> list[dict[str, Any]]:
        answer = await registry.list_model_packages(ModelPackageGroupName="listed", **asked)
        return list(answer["ModelPackageSummaryList"])

    for asked, count in (
        ({"SortBy": "CreationTime", "SortOrder": "Ascending"}, 3),
        ({"SortBy": "CreationTime", "SortOrder": "Descending"}, 3),
        ({"MaxResults": 2}, 2),
        ({"ModelApprovalStatus": "Approved"}, 0),
    ):
        ours, theirs = [await listed(registry, **asked) for registry in both]
        assert len(ours) == len(theirs) == count
        for our, their in zip(ours, theirs, strict=True):
            assert _differences(our, their) == {"CreationTime"}


async def test_unversioned_packages_are_what_a_list_holds_by_default(both: tuple[Any, Any]) -> None:
    arns = []
    for registry in both:
        created = await registry.create_model_package(
            ModelPackageName="Lonely-One", InferenceSpecification=specification()
        )
        arns.append(created["ModelPackageArn"])
        summaries = (await registry.list_model_packages(NameContains="Lonely"))["ModelPackageSummaryList"]
        assert [each["ModelPackageArn"] for each in summaries] == [created["ModelPackageArn"]]

    assert arns[0] == arns[1] == "arn:aws:sagemaker:eu-central-1:123456789012:model-package/lonely-one"


async def test_an_approval_is_taken_alike(both: tuple[Any, Any]) -> None:
    after = []
    for registry in both:
        arn = (await _registered(registry, "approved"))["ModelPackageArn"]
        # All of them given, because moto blanks what an update leaves out, which SageMaker keeps.
        await registry.update_model_package(
            ModelPackageArn=arn,
            ModelApprovalStatus="Approved",
            ApprovalDescription="All five agreed",
            CustomerMetadataProperties={"owner": "bea", "team": "crm"},
        )
        after.append(await registry.describe_model_package(ModelPackageName=arn))

    ours, theirs = after
    # moto names who changed it, though not as who; and has the time of the change from now on.
    assert _differences(ours, theirs) == set(REGISTERED_OTHERWISE) | {"LastModifiedBy"}
    assert ours["ModelApprovalStatus"] == theirs["ModelApprovalStatus"] == "Approved"
    assert ours["ApprovalDescription"] == theirs["ApprovalDescription"]
    assert ours["CustomerMetadataProperties"] == theirs["CustomerMetadataProperties"]
    assert "LastModifiedTime" in ours
    assert "LastModifiedTime" in theirs


async def test_groups_are_alike(both: tuple[Any, Any]) -> None:
    described = []
    for registry in both:
        await registry.create_model_package_group(
            ModelPackageGroupName="grouped", ModelPackageGroupDescription="What is grouped"
        )
        described.append(await registry.describe_model_package_group(ModelPackageGroupName="grouped"))

    assert _differences(*described) == {"CreationTime", "CreatedBy"}


async def test_what_is_missing_is_refused_alike(both: tuple[Any, Any], simulator: Simulator) -> None:
    for registry in both:
        with pytest.raises(ClientError) as caught:
            await registry.describe_model_package(ModelPackageName="nobody/1")
        assert caught.value.response["Error"]["Code"] == "ValidationException"
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


async def _registered(registry: Any, group: str) -> dict[str, Any]:
    groups = await registry.list_model_package_groups(NameContains=group)
    if not groups["ModelPackageGroupSummaryList"]:
        await registry.create_model_package_group(ModelPackageGroupName=group)
    created = await registry.create_model_package(ModelPackageGroupName=group, **GIVEN)
    described: dict[str, Any] = await registry.describe_model_package(ModelPackageName=created["ModelPackageArn"])
    return described


def _differences(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> set[str]:
    names = (set(ours) | set(theirs)) - {"ResponseMetadata"}
    return {name for name in names if ours.get(name) != theirs.get(name)}
