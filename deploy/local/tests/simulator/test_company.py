"""The demo company is big enough, old enough and odd enough to be believed."""

import gzip
import json
import math
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from assent_common.clock import FrozenClock
from assent_local.simulator import Simulator, running

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with running(company=True, clock=FrozenClock(NOW)) as simulator:
        yield simulator


@pytest.fixture
async def versions(sagemaker: Any) -> list[dict[str, Any]]:
    answer = await sagemaker.search(Resource="ModelPackage", SortBy="CreationTime", SortOrder="Ascending")
    return [each["ModelPackage"] for each in answer["Results"]]


async def test_it_has_many_models_of_many_kinds(sagemaker: Any, versions: list[dict[str, Any]]) -> None:
    groups = (await sagemaker.list_model_package_groups())["ModelPackageGroupSummaryList"]

    assert len(groups) >= 6
    assert "customer-churn" in {group["ModelPackageGroupName"] for group in groups}
    assert len(versions) >= 40
    containers = [version["InferenceSpecification"]["Containers"][0] for version in versions]
    assert len({container["Framework"] for container in containers}) >= 5
    assert len({version["Task"] for version in versions}) >= 4
    assert {version["ModelApprovalStatus"] for version in versions} == {"Approved", "Rejected", "PendingManualApproval"}
    assert "Failed" in {version["ModelPackageStatus"] for version in versions}
    assert all(version["Tags"] and version["CustomerMetadataProperties"] for version in versions)


async def test_its_history_is_eighteen_months_long_and_over(versions: list[dict[str, Any]]) -> None:
    created = [version["CreationTime"] for version in versions]

    assert NOW - timedelta(days=548) < created[0] < NOW - timedelta(days=450)
    assert NOW - timedelta(days=14) < created[-1] < NOW
    assert all(version["CreationTime"] <= version["LastModifiedTime"] <= NOW for version in versions)
    assert any(version["LastModifiedTime"] > version["CreationTime"] for version in versions)


async def test_its_versions_get_better(client: Any, versions: list[dict[str, Any]]) -> None:
    churn = [version for version in versions if version["ModelPackageGroupName"] == "customer-churn"]
    reports = [json.loads(await _report(client, version)) for version in churn]

    accuracies = [report["binary_classification_metrics"]["accuracy"]["value"] for report in reports]
    assert len(accuracies) == 9
    assert accuracies[0] == 0.851
    assert accuracies[-1] == 0.927
    assert max(accuracies) == accuracies[-1]


async def test_every_report_is_there_and_some_are_odd(client: Any, versions: list[dict[str, Any]]) -> None:
    bodies = [await _report(client, version) for version in versions]
    plain = [body for body in bodies if not body.startswith(b"\x1f\x8b")]
    reports = [json.loads(body) for body in plain]

    assert len(plain) == len(bodies) - 1
    assert {"accuracy": 0.93} in reports
    assert sum(b": NaN" in body for body in plain) == 1
    deviations = [
        metric.get("standard_deviation")
        for report in reports
        for metric in report.get("binary_classification_metrics", {}).values()
    ]
    assert "NaN" in deviations
    classes = [report["multiclass_classification_metrics"] for report in reports if "multiclass" in str(report)]
    assert len(classes) == 6
    assert all("precision" not in metrics and "weighted_precision" in metrics for metrics in classes)
    assert sum("regression_metrics" in report for report in reports) == 6
    zipped = next(body for body in bodies if body.startswith(b"\x1f\x8b"))
    assert "accuracy" in json.loads(gzip.decompress(zipped))["binary_classification_metrics"]
    assert any(math.isnan(report.get("calibration", {}).get("expected_calibration_error", 0)) for report in reports)


async def test_one_description_is_awkward(versions: list[dict[str, Any]]) -> None:
    (awkward,) = [each for each in versions if each["ModelPackageDescription"].startswith("=")]

    for part in ('"', "📦", "<script>", "أين"):
        assert part in awkward["ModelPackageDescription"]


async def test_two_endpoints_serve_and_one_of_them_should_not(sagemaker: Any) -> None:
    endpoints = (await sagemaker.list_endpoints(SortBy="Name"))["Endpoints"]

    approvals = {}
    for endpoint in endpoints:
        described = await sagemaker.describe_endpoint(EndpointName=endpoint["EndpointName"])
        config = await sagemaker.describe_endpoint_config(EndpointConfigName=described["EndpointConfigName"])
        model = await sagemaker.describe_model(ModelName=config["ProductionVariants"][0]["ModelName"])
        package = model["PrimaryContainer"]["ModelPackageName"]
        approval = await sagemaker.describe_model_package(ModelPackageName=package)
        approvals[endpoint["EndpointName"]] = approval["ModelApprovalStatus"]
    assert approvals == {
        "customer-churn-production": "Approved",
        "card-fraud-production": "PendingManualApproval",
    }


async def test_a_model_card_names_the_training_job(sagemaker: Any, versions: list[dict[str, Any]]) -> None:
    card = json.loads(versions[0]["ModelCard"]["ModelCardContent"])
    arn = card["training_details"]["training_job_details"]["training_arn"]

    job = await sagemaker.describe_training_job(TrainingJobName=arn.rpartition("/")[2])

    assert job["TrainingJobArn"] == arn
    container = versions[0]["InferenceSpecification"]["Containers"][0]
    assert job["ModelArtifacts"]["S3ModelArtifacts"] == container["ModelDataUrl"]


async def _report(client: Any, version: dict[str, Any]) -> bytes:
    bucket, _, key = version["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"].removeprefix("s3://").partition("/")
    s3 = await client("s3")
    body: bytes = await (await s3.get_object(Bucket=bucket, Key=key))["Body"].read()
    return body
