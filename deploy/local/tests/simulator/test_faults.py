"""What is dialled in goes wrong, in the way that AWS goes wrong."""

import asyncio
from typing import Any

import httpx
import pytest
from aiohttp import ClientPayloadError
from assent_local.simulator import Simulator
from assent_local.simulator.seed import BUCKET
from botocore.exceptions import ClientError, IncompleteReadError, ResponseStreamingError

from .conftest import register


@pytest.fixture
async def report(simulator: Simulator) -> str:
    """The key of a report that can be read."""
    async with httpx.AsyncClient() as http:
        seed = {"groups": 1, "versions": 1, "prefix": "load"}
        assert (await http.post(f"{simulator.url}/_simulator/seed", json=seed)).status_code == 200
        assert (await http.post(f"{simulator.url}/_simulator/seed", json=seed)).status_code == 400
    return "load-00000/1/evaluation.json"


async def test_throttling_is_a_400_of_the_operation_alone(sagemaker: Any, simulator: Simulator) -> None:
    simulator.dial(throttle={"Search": 1})

    with pytest.raises(ClientError) as caught:
        await sagemaker.search(Resource="ModelPackage")

    assert caught.value.response["Error"] == {"Code": "ThrottlingException", "Message": "Rate exceeded"}
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert (await sagemaker.list_model_packages())["ModelPackageSummaryList"] == []


async def test_a_rate_is_a_share_of_the_calls(sagemaker: Any, simulator: Simulator) -> None:
    simulator.dial(throttle={"*": 0.5, "ListTags": 0})

    outcomes = [await _refused(sagemaker.list_models()) for _ in range(60)]

    assert 15 < sum(outcomes) < 45
    assert simulator.calls("ListModels") == 60


async def test_an_error_page_is_no_json(sagemaker: Any, simulator: Simulator) -> None:
    simulator.dial(errors={"DescribeModelPackageGroup": 1})

    with pytest.raises(ClientError) as caught:
        await sagemaker.describe_model_package_group(ModelPackageGroupName="churn")

    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert caught.value.response["ResponseMetadata"]["HTTPHeaders"]["content-type"] == "text/html"


async def test_iam_can_deny_search_and_leave_the_lists(sagemaker: Any, simulator: Simulator) -> None:
    simulator.dial(denied=["Search"])

    with pytest.raises(ClientError, match="AccessDeniedException"):
        await sagemaker.search(Resource="ModelPackage")
    assert (await sagemaker.list_model_packages())["ModelPackageSummaryList"] == []


async def test_latency_is_waited_for_and_does_not_hold_up_others(sagemaker: Any, simulator: Simulator) -> None:
    simulator.dial(latency_ms=200)
    loop = asyncio.get_running_loop()
    started = loop.time()

    await asyncio.gather(*(sagemaker.list_models() for _ in range(8)))

    assert 0.2 <= loop.time() - started < 1.2


@pytest.mark.parametrize(
    ("kind", "code"), [("access_denied", "AccessDenied"), ("not_found", "NoSuchKey"), ("server_error", "InternalError")]
)
async def test_reports_under_a_prefix_cannot_be_read(
    client: Any, simulator: Simulator, report: str, kind: str, code: str
) -> None:
    s3 = await client("s3")
    assert await (await s3.get_object(Bucket=BUCKET, Key=report))["Body"].read()

    simulator.dial(s3=[{"prefix": f"{BUCKET}/load-00000/", "kind": kind}, {"prefix": "other", "kind": "slow"}])

    with pytest.raises(ClientError, match=code):
        await s3.get_object(Bucket=BUCKET, Key=report)


async def test_a_truncated_report_breaks_off(client: Any, simulator: Simulator, report: str) -> None:
    s3 = await client("s3")
    simulator.dial(s3=[{"prefix": BUCKET, "kind": "truncated"}])

    async with (await s3.get_object(Bucket=BUCKET, Key=report))["Body"] as body:
        with pytest.raises((IncompleteReadError, ResponseStreamingError, ClientPayloadError)):
            await body.read()


async def test_the_dials_are_set_and_read_over_http(simulator: Simulator, sagemaker: Any) -> None:
    async with httpx.AsyncClient(base_url=f"{simulator.url}/_simulator/") as http:
        set_to = (await http.put("faults", json={"throttle": {"Search": 1}, "expired_tokens": 2})).json()
        assert set_to == (await http.get("faults")).json()
        assert (set_to["throttle"], set_to["expired_tokens"], set_to["latency_ms"]) == ({"Search": 1.0}, 2, 0)
        refused = await http.put("faults", json={"throttel": {"Search": 1}})
        assert refused.status_code == 400

        assert await _refused(sagemaker.search(Resource="ModelPackage"))
        assert (await http.get("calls")).json() == {"Search": 1}
        await http.delete("calls")
        assert (await http.get("calls")).json() == {}


async def test_seeded_versions_have_reports_that_stay_the_same(client: Any, sagemaker: Any, report: str) -> None:
    s3 = await client("s3")
    version = await sagemaker.describe_model_package(ModelPackageName="load-00000/1")
    assert version["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"] == f"s3://{BUCKET}/{report}"

    once = await (await s3.get_object(Bucket=BUCKET, Key=report))["Body"].read()
    again = await (await s3.get_object(Bucket=BUCKET, Key=report))["Body"].read()

    assert once == again
    assert b'"accuracy"' in once
    for missing in ("load-00000/2/evaluation.json", "load-00001/1/evaluation.json", "other-00000/1/evaluation.json"):
        with pytest.raises(ClientError, match="NoSuchKey"):
            await s3.get_object(Bucket=BUCKET, Key=missing)
    await register(sagemaker, "load-00000")


async def _refused(call: Any) -> bool:
    try:
        await call
    except ClientError:
        return True
    return False
