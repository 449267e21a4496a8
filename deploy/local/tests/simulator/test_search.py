"""Search finds whole records by any property, in any order, once its index has them."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from assent_common.clock import FrozenClock
from assent_local.simulator import Simulator, running
from botocore.exceptions import ClientError

from .conftest import register

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(START)


@pytest.fixture
async def simulator(clock: FrozenClock) -> AsyncIterator[Simulator]:
    async with running(clock=clock) as simulator:
        yield simulator


@pytest.fixture
async def versions(sagemaker: Any, clock: FrozenClock) -> list[str]:
    """Four versions in two groups, an hour apart; the first was approved last."""
    await sagemaker.create_model_package_group(ModelPackageGroupName="churn", Tags=[{"Key": "team", "Value": "crm"}])
    await sagemaker.create_model_package_group(ModelPackageGroupName="fraud")
    arns = []
    for number, group in enumerate(("churn", "churn", "fraud", "fraud")):
        owner = {"owner.name": "ada" if number % 2 else "bea"}
        arns.append(
            await register(sagemaker, group, ModelPackageDescription=f"No {number}", CustomerMetadataProperties=owner)
        )
        clock.advance(timedelta(hours=1))
    await sagemaker.update_model_package(
        ModelPackageArn=arns[0],
        ModelApprovalStatus="Approved",
        ModelLifeCycle={"Stage": "Production", "StageStatus": "Serving"},
    )
    return arns


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ([("ModelPackageGroupName", "Equals", "churn")], [0, 1]),
        ([("ModelApprovalStatus", "NotEquals", "Approved")], [1, 2, 3]),
        ([("ModelPackageVersion", "GreaterThan", "1")], [1, 3]),
        ([("ModelPackageVersion", "Equals", "1")], [0, 2]),
        ([("ModelPackageDescription", "Contains", "o 3")], [3]),
        ([("ModelPackageDescription", "In", "No 0,No 2")], [0, 2]),
        ([("ModelLifeCycle.Stage", "Equals", "Production")], [0]),
        ([("ModelLifeCycle", "NotExists", None)], [1, 2, 3]),
        ([("LastModifiedTime", "GreaterThanOrEqualTo", "2026-03-01T14:00:00")], [0, 2, 3]),
        ([("LastModifiedTime", "LessThan", "2026-03-01T14:00:00Z")], [1]),
        ([("CreationTime", "GreaterThan", "2026-03-01T12:00:00"), ("ModelPackageVersion", "Equals", "1")], [2]),
        ([("Tags.team", "Equals", "crm")], [0, 1]),
        ([("CustomerMetadataProperties.owner.name", "Equals", "ada")], [1, 3]),
        ([("InferenceSpecification.Containers.Framework", "Equals", "XGBOOST")], [0, 1, 2, 3]),
        ([("CertifyForMarketplace", "Equals", "false")], [0, 1, 2, 3]),
    ],
    ids=lambda filters: filters[0][0] + filters[0][1] if isinstance(filters[0], tuple) else "",
)
async def test_a_filter_finds_what_it_says(
    sagemaker: Any, versions: list[str], filters: list[tuple[str, str, str | None]], expected: list[int]
) -> None:
    asked = [
        {"Name": name, "Operator": operator} | ({"Value": value} if value else {}) for name, operator, value in filters
    ]

    found = await search(sagemaker, SearchExpression={"Filters": asked}, SortBy="CreationTime", SortOrder="Ascending")

    assert found == [versions[number] for number in expected]


async def test_expressions_nest(sagemaker: Any, versions: list[str]) -> None:
    first = {"Name": "ModelPackageVersion", "Value": "1"}
    approved = {"Name": "ModelApprovalStatus", "Value": "Approved"}
    last = {"Name": "ModelPackageDescription", "Value": "No 3"}
    expression = {"Operator": "Or", "Filters": [last], "SubExpressions": [{"Filters": [first, approved]}]}

    found = await search(sagemaker, SearchExpression=expression, SortBy="CreationTime", SortOrder="Ascending")

    assert found == [versions[0], versions[3]]


async def test_nested_filters_are_met_by_one_element(sagemaker: Any, versions: list[str]) -> None:
    def of(image: str) -> dict[str, Any]:
        inside = "InferenceSpecification.Containers"
        filters = [
            {"Name": f"{inside}.Framework", "Value": "XGBOOST"},
            {"Name": f"{inside}.Image", "Operator": "Contains", "Value": image},
        ]
        return {"NestedFilters": [{"NestedPropertyName": inside, "Filters": filters}]}

    assert len(await search(sagemaker, SearchExpression=of("xgboost"))) == len(versions)
    assert await search(sagemaker, SearchExpression=of("pytorch")) == []


async def test_the_last_modified_come_first_unless_told(sagemaker: Any, versions: list[str]) -> None:
    assert await search(sagemaker) == [versions[0], versions[3], versions[2], versions[1]]
    assert await search(sagemaker, SortBy="ModelPackageDescription", SortOrder="Ascending") == versions


async def test_a_record_is_whole_and_carries_its_groups_tags(sagemaker: Any, versions: list[str]) -> None:
    answer = await sagemaker.search(Resource="ModelPackage")

    record = answer["Results"][0]["ModelPackage"]
    described = await sagemaker.describe_model_package(ModelPackageName=versions[0])
    assert record.pop("Tags") == [{"Key": "team", "Value": "crm"}]
    assert record == {name: value for name, value in described.items() if name != "ResponseMetadata"}
    assert answer["TotalHits"] == {"Value": 4, "Relation": "EqualTo"}


async def test_groups_are_found_and_have_no_time_of_change(sagemaker: Any, versions: list[str]) -> None:
    answer = await sagemaker.search(Resource="ModelPackageGroup", SortBy="CreationTime", SortOrder="Ascending")

    groups = [each["ModelPackageGroup"] for each in answer["Results"]]
    assert [group["ModelPackageGroupName"] for group in groups] == ["churn", "fraud"]
    with pytest.raises(ClientError, match="Unknown property"):
        await sagemaker.search(Resource="ModelPackageGroup", SortBy="LastModifiedTime")


@pytest.mark.parametrize(
    "asked",
    [
        {"Name": "Colour", "Value": "red"},
        {"Name": "ModelPackageDescription", "Operator": "GreaterThan", "Value": "a"},
        {"Name": "LastModifiedTime", "Operator": "GreaterThan", "Value": "yesterday"},
        {"Name": "ModelPackageVersion", "Operator": "Equals"},
    ],
    ids=lambda asked: asked["Name"],
)
async def test_a_filter_that_means_nothing_is_refused(sagemaker: Any, asked: dict[str, str]) -> None:
    with pytest.raises(ClientError, match="ValidationException"):
        await sagemaker.search(Resource="ModelPackage", SearchExpression={"Filters": [asked]})


async def test_the_index_lags_as_long_as_it_is_told(
    sagemaker: Any, versions: list[str], simulator: Simulator, clock: FrozenClock
) -> None:
    simulator.dial(search_lag_s=30)
    new = await register(sagemaker, "churn")
    await sagemaker.delete_model_package(ModelPackageName=versions[1])

    assert sorted(await search(sagemaker)) == sorted(versions)
    clock.advance(timedelta(seconds=31))

    assert sorted(await search(sagemaker)) == sorted([new, versions[0], *versions[2:]])


async def test_a_frozen_index_sees_old_content_until_released(
    sagemaker: Any, versions: list[str], simulator: Simulator
) -> None:
    await search(sagemaker)
    simulator.dial(search_frozen=True)
    await sagemaker.update_model_package(ModelPackageArn=versions[1], ModelApprovalStatus="Rejected")
    rejected = {"Filters": [{"Name": "ModelApprovalStatus", "Value": "Rejected"}]}

    assert await search(sagemaker, SearchExpression=rejected) == []
    simulator.dial()

    assert await search(sagemaker, SearchExpression=rejected) == [versions[1]]


async def test_nothing_is_shared_between_accounts(simulator: Simulator, versions: list[str], client: Any) -> None:
    here, elsewhere = await client("sagemaker"), await client("sagemaker", region="us-west-2")

    assert len(await search(here)) == 4
    assert await search(here, CrossAccountFilterOption="CrossAccount") == []
    assert await search(elsewhere) == []


async def search(sagemaker: Any, **asked: Any) -> list[str]:
    answer = await sagemaker.search(Resource="ModelPackage", **asked)
    return [each["ModelPackage"]["ModelPackageArn"] for each in answer["Results"]]
