"""Groups and packages behave as SageMaker's do."""

import json
from typing import Any

import pytest
from assent_local.simulator import Simulator
from botocore.exceptions import ClientError

from .conftest import register, specification


async def test_versions_count_up_in_their_group_and_keep_their_numbers(sagemaker: Any) -> None:
    await sagemaker.create_model_package_group(ModelPackageGroupName="Churn")

    first, second = await register(sagemaker, "Churn"), await register(sagemaker, "Churn")
    await sagemaker.delete_model_package(ModelPackageName=second)
    third = await register(sagemaker, "Churn")

    # The group's name is lower-cased in the ARN.
    assert first == "arn:aws:sagemaker:eu-central-1:123456789012:model-package/churn/1"
    assert third == "arn:aws:sagemaker:eu-central-1:123456789012:model-package/churn/3"
    version = await sagemaker.describe_model_package(ModelPackageName=third)
    assert version["ModelPackageGroupName"] == "Churn"
    assert version["ModelPackageVersion"] == 3
    assert "ModelPackageName" not in version
    assert version["ModelPackageStatus"] == "Completed"
    assert version["ModelApprovalStatus"] == "PendingManualApproval"


async def test_a_group_made_again_counts_from_one(sagemaker: Any) -> None:
    await sagemaker.create_model_package_group(ModelPackageGroupName="churn")
    only = await register(sagemaker, "churn")

    refusal = await refused(sagemaker.delete_model_package_group(ModelPackageGroupName="churn"), "ConflictException")
    assert "still contains" in refusal
    await sagemaker.delete_model_package(ModelPackageName=only)
    await sagemaker.delete_model_package_group(ModelPackageGroupName="churn")
    await sagemaker.create_model_package_group(ModelPackageGroupName="churn")

    assert await register(sagemaker, "churn") == only


async def test_what_is_not_there_is_refused_as_invalid(sagemaker: Any) -> None:
    arn = "arn:aws:sagemaker:eu-central-1:123456789012:model-package/churn/1"

    for call in (
        sagemaker.describe_model_package(ModelPackageName=arn),
        sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved"),
        sagemaker.delete_model_package(ModelPackageName=arn),
        sagemaker.describe_model_package_group(ModelPackageGroupName="churn"),
        sagemaker.create_model_package(ModelPackageGroupName="churn"),
        sagemaker.list_tags(ResourceArn=arn),
    ):
        assert "does not exist" in await refused(call, "ValidationException")


async def test_a_list_holds_unversioned_packages_only_unless_told(sagemaker: Any) -> None:
    await sagemaker.create_model_package_group(ModelPackageGroupName="churn")
    versioned = await register(sagemaker, "churn")
    single = await sagemaker.create_model_package(ModelPackageName="lonely", InferenceSpecification=specification())

    assert await listed(sagemaker) == [single["ModelPackageArn"]]
    assert await listed(sagemaker, ModelPackageType="Versioned") == [versioned]
    assert await listed(sagemaker, ModelPackageType="Both") == [versioned, single["ModelPackageArn"]]
    assert await listed(sagemaker, ModelPackageGroupName="churn") == [versioned]
    assert await listed(sagemaker, ModelPackageType="Both", NameContains="one") == [single["ModelPackageArn"]]
    assert await listed(sagemaker, ModelPackageType="Both", ModelApprovalStatus="Approved") == []
    await refused(sagemaker.list_model_packages(ModelPackageGroupName="none"), "ValidationException")


async def test_an_update_changes_what_it_names_and_nothing_else(sagemaker: Any) -> None:
    await sagemaker.create_model_package_group(ModelPackageGroupName="churn")
    arn = await register(
        sagemaker, "churn", CustomerMetadataProperties={"owner": "ada", "team": "crm"}, ModelPackageDescription="First"
    )
    before = await sagemaker.describe_model_package(ModelPackageName=arn)

    await sagemaker.update_model_package(
        ModelPackageArn=arn,
        ModelApprovalStatus="Approved",
        ApprovalDescription="All five agreed",
        CustomerMetadataProperties={"owner": "bea"},
        CustomerMetadataPropertiesToRemove=["team"],
        ModelLifeCycle={"Stage": "Production", "StageStatus": "Approved"},
        AdditionalInferenceSpecificationsToAdd=[{"Name": "gpu", "Containers": [{"Image": "gpu:1"}]}],
        SourceUri="mlflow://churn/1",
    )

    after = await sagemaker.describe_model_package(ModelPackageName=arn)
    assert after["ModelApprovalStatus"] == "Approved"
    assert after["ApprovalDescription"] == "All five agreed"
    assert after["CustomerMetadataProperties"] == {"owner": "bea"}
    assert after["ModelLifeCycle"] == {"Stage": "Production", "StageStatus": "Approved"}
    assert [each["Name"] for each in after["AdditionalInferenceSpecifications"]] == ["gpu"]
    assert after["LastModifiedTime"] >= before["LastModifiedTime"]
    assert after["LastModifiedBy"]["IamIdentity"]["Arn"] == "arn:aws:iam::123456789012:user/test"
    untouched = ("ModelPackageDescription", "InferenceSpecification", "CreationTime", "CreatedBy")
    assert [after[name] for name in untouched] == [before[name] for name in untouched]


async def test_a_repeated_client_token_has_one_effect(sagemaker: Any) -> None:
    await sagemaker.create_model_package_group(ModelPackageGroupName="churn")

    first = await register(sagemaker, "churn", ClientToken="once")
    again = await register(sagemaker, "churn", ClientToken="once")

    assert again == first
    assert await listed(sagemaker, ModelPackageGroupName="churn") == [first]
    other = {"ModelPackageDescription": "another", "ClientToken": "once", "ModelPackageGroupName": "churn"}
    await refused(sagemaker.create_model_package(InferenceSpecification=specification(), **other), "ConflictException")


@pytest.mark.parametrize(
    "given",
    [
        {"ModelApprovalStatus": "Accepted"},
        {"ApprovalDescription": "two\nlines"},
        {"CustomerMetadataProperties": {"reason": '{"json": "is not allowed"}'}},
        {"CustomerMetadataProperties": {f"key-{number}": "x" for number in range(51)}},
        {"ModelLifeCycle": {"Stage": "In production", "StageStatus": "Approved"}},
        {"ModelCard": {"ModelCardContent": "no JSON", "ModelCardStatus": "Draft"}},
        {"ApprovalDescription": "x" * 1025},
    ],
    ids=lambda given: next(iter(given)),
)
async def test_what_sagemaker_refuses_changes_nothing(sagemaker: Any, given: dict[str, Any]) -> None:
    await sagemaker.create_model_package_group(ModelPackageGroupName="churn")
    arn = await register(sagemaker, "churn")
    before = await sagemaker.describe_model_package(ModelPackageName=arn)

    await refused(sagemaker.update_model_package(ModelPackageArn=arn, **given), "ValidationException")

    assert await sagemaker.describe_model_package(ModelPackageName=arn) | {"ResponseMetadata": None} == before | {
        "ResponseMetadata": None
    }


async def test_customer_metadata_is_full_at_fifty(sagemaker: Any) -> None:
    await sagemaker.create_model_package_group(ModelPackageGroupName="churn")
    arn = await register(sagemaker, "churn", CustomerMetadataProperties={f"key-{n}": "x" for n in range(50)})

    update = sagemaker.update_model_package(ModelPackageArn=arn, CustomerMetadataProperties={"one-more": "x"})

    assert "at most 50" in await refused(update, "ValidationException")


async def test_only_versions_can_be_updated(sagemaker: Any) -> None:
    single = await sagemaker.create_model_package(ModelPackageName="lonely", InferenceSpecification=specification())

    update = sagemaker.update_model_package(ModelPackageArn=single["ModelPackageArn"], SourceUri="x")

    assert "not versioned" in await refused(update, "ValidationException")


async def test_without_the_key_a_model_card_is_empty(sagemaker: Any) -> None:
    await sagemaker.create_model_package_group(ModelPackageGroupName="churn")
    content = json.dumps({"intended_uses": {"risk_rating": "Low"}})
    card = {"ModelCardContent": content, "ModelCardStatus": "Draft"}
    arn = await register(sagemaker, "churn", ModelCard=card)

    whole = await sagemaker.describe_model_package(ModelPackageName=arn)
    without = await sagemaker.describe_model_package(ModelPackageName=arn, IncludedData="MetadataOnly")

    assert whole["ModelCard"] == card
    assert without["ModelCard"] == {"ModelCardContent": "{}", "ModelCardStatus": "Draft"}


async def test_a_batch_names_what_it_did_not_find(sagemaker: Any) -> None:
    await sagemaker.create_model_package_group(ModelPackageGroupName="churn")
    arn = await register(sagemaker, "churn")
    missing = arn.replace("/1", "/2")

    answer = await sagemaker.batch_describe_model_package(ModelPackageArnList=[arn, missing])

    assert list(answer["ModelPackageSummaries"]) == [arn]
    assert "LastModifiedTime" not in answer["ModelPackageSummaries"][arn]
    assert list(answer["BatchDescribeModelPackageErrorMap"]) == [missing]


async def test_tags_are_the_groups_and_a_version_takes_none(sagemaker: Any) -> None:
    group = await sagemaker.create_model_package_group(
        ModelPackageGroupName="churn", Tags=[{"Key": "team", "Value": "crm"}]
    )
    arn = await register(sagemaker, "churn")

    await sagemaker.add_tags(ResourceArn=group["ModelPackageGroupArn"], Tags=[{"Key": "tier", "Value": "1"}])
    await sagemaker.delete_tags(ResourceArn=group["ModelPackageGroupArn"], TagKeys=["team"])

    assert (await sagemaker.list_tags(ResourceArn=group["ModelPackageGroupArn"]))["Tags"] == [
        {"Key": "tier", "Value": "1"}
    ]
    assert (await sagemaker.list_tags(ResourceArn=arn))["Tags"] == []
    await refused(sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "a", "Value": "b"}]), "ValidationException")
    tagged = {"ModelPackageGroupName": "churn", "Tags": [{"Key": "a", "Value": "b"}]}
    await refused(sagemaker.create_model_package(**tagged), "ValidationException")


async def test_an_unknown_operation_is_named(sagemaker: Any, simulator: Simulator) -> None:
    assert "ListApps" in await refused(sagemaker.list_apps(), "UnknownOperationException")
    assert simulator.calls("ListApps") == 1


async def refused(call: Any, code: str) -> str:
    """What the refusal says."""
    with pytest.raises(ClientError) as caught:
        await call
    assert caught.value.response["Error"]["Code"] == code
    return str(caught.value.response["Error"]["Message"])


async def listed(sagemaker: Any, **asked: Any) -> list[str]:
    answer = await sagemaker.list_model_packages(**asked)
    return [each["ModelPackageArn"] for each in answer["ModelPackageSummaryList"]]
