"""Whatever the size of a page, each thing comes once: in lists and in Search, also with empty pages in between."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from assent_local.simulator import Simulator, running
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .conftest import connect

GROUPS, VERSIONS = 3, 15

#: One server and one client serve all examples: nothing is changed by them.
thorough = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
sizes = st.integers(1, 100)
ascending = st.sampled_from(["Ascending", "Descending"])


@pytest.fixture(scope="module")
async def seeded() -> AsyncIterator[Simulator]:
    async with running() as simulator, httpx.AsyncClient() as http:
        seed = {"groups": GROUPS, "versions": VERSIONS, "prefix": "load"}
        answer = await http.post(f"{simulator.url}/_simulator/seed", json=seed)
        assert answer.json() == {"versions": GROUPS * VERSIONS}
        yield simulator


@pytest.fixture(scope="module")
async def registry(seeded: Simulator) -> AsyncIterator[Any]:
    async with connect("sagemaker", seeded.url) as sagemaker:
        yield sagemaker


@pytest.fixture(autouse=True)
def at_rest(seeded: Simulator) -> None:
    seeded.dial()


@thorough
@given(size=sizes, order=ascending, by=st.sampled_from(["Name", "CreationTime"]), empty=st.sampled_from([0.0, 0.5]))
async def test_every_version_is_listed_once(
    seeded: Simulator, registry: Any, size: int, order: str, by: str, empty: float
) -> None:
    seeded.dial(empty_pages=empty)

    rows = await _all(
        registry.list_model_packages,
        "ModelPackageSummaryList",
        MaxResults=size,
        ModelPackageType="Versioned",
        SortBy=by,
        SortOrder=order,
    )

    assert len(rows) == len({row["ModelPackageArn"] for row in rows}) == GROUPS * VERSIONS
    if by == "CreationTime":
        times = [row["CreationTime"] for row in rows]
        assert times == sorted(times, reverse=order == "Descending")


@thorough
@given(size=sizes, order=ascending, by=st.sampled_from(["LastModifiedTime", "ModelPackageDescription"]))
async def test_every_version_is_found_once(registry: Any, size: int, order: str, by: str) -> None:
    rows = await _all(registry.search, "Results", Resource="ModelPackage", MaxResults=size, SortBy=by, SortOrder=order)

    found = [row["ModelPackage"] for row in rows]
    assert len(found) == len({each["ModelPackageArn"] for each in found}) == GROUPS * VERSIONS
    assert [each[by] for each in found] == sorted([each[by] for each in found], reverse=order == "Descending")


async def test_pages_are_no_longer_than_asked(registry: Any) -> None:
    page = await registry.list_model_package_groups(MaxResults=2)

    assert len(page["ModelPackageGroupSummaryList"]) == 2
    rest = await registry.list_model_package_groups(MaxResults=2, NextToken=page["NextToken"])
    assert len(rest["ModelPackageGroupSummaryList"]) == 1
    assert "NextToken" not in rest


async def test_a_token_is_good_for_its_own_question_only(registry: Any) -> None:
    page = await registry.list_model_packages(ModelPackageType="Versioned", MaxResults=5)

    for asked in ({"ModelPackageType": "Both"}, {"ModelPackageType": "Versioned", "SortOrder": "Descending"}):
        with pytest.raises(ClientError, match="ValidationException"):
            await registry.list_model_packages(NextToken=page["NextToken"], **asked)
    with pytest.raises(ClientError, match="ValidationException"):
        await registry.list_model_packages(NextToken="made up")


async def test_an_expired_token_is_refused_and_the_list_can_be_begun_again(seeded: Simulator, registry: Any) -> None:
    page = await registry.search(Resource="ModelPackage", MaxResults=10)
    seeded.dial(expired_tokens=1)

    with pytest.raises(ClientError, match="expired"):
        await registry.search(Resource="ModelPackage", MaxResults=10, NextToken=page["NextToken"])

    assert len(await _all(registry.search, "Results", Resource="ModelPackage", MaxResults=10)) == GROUPS * VERSIONS


async def test_a_row_is_missed_when_the_list_shrinks_under_the_pages(simulator: Simulator, sagemaker: Any) -> None:
    """As with the real one: who reads pages has to expect it."""
    await sagemaker.create_model_package_group(ModelPackageGroupName="a")
    await sagemaker.create_model_package_group(ModelPackageGroupName="b")
    await sagemaker.create_model_package_group(ModelPackageGroupName="c")
    page = await sagemaker.list_model_package_groups(MaxResults=1)

    await sagemaker.delete_model_package_group(ModelPackageGroupName="a")

    rest = await sagemaker.list_model_package_groups(MaxResults=5, NextToken=page["NextToken"])
    assert [each["ModelPackageGroupName"] for each in rest["ModelPackageGroupSummaryList"]] == ["c"]


async def _all(operation: Any, member: str, **asked: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    token: dict[str, str] = {}
    for _ in range(1000):
        page = await operation(**asked, **token)
        assert len(page[member]) <= asked["MaxResults"]
        rows += page[member]
        if "NextToken" not in page:
            return rows
        token = {"NextToken": page["NextToken"]}
    raise AssertionError("the pages never end")
