"""moto as the second opinion on SageMaker: a sync by List and Describe, field by field."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from assent_common.clock import to_utc
from assent_sagemaker.runs import Status
from botocore.session import get_session
from moto.sagemaker.responses import SageMakerResponse
from moto.server import ThreadedMotoServer

from tests.connector import test_write_back as decisions
from tests.connector import world
from tests.connector.conftest import Connect


@pytest.fixture
def moto(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A plain client of the service by name."""
    # It lacks these two. Nothing serves there, so that an empty listing is what there is.
    for operation, member in {
        "list_inference_components": "InferenceComponents",
        "list_monitoring_executions": "MonitoringExecutionSummaries",
    }.items():
        assert not hasattr(SageMakerResponse, operation)
        empty = json.dumps({member: []})
        monkeypatch.setattr(SageMakerResponse, operation, lambda self, empty=empty: empty, raising=False)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    for service in ("SAGEMAKER", "S3", "STS"):
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    session = get_session()
    # All its servers in a process share one memory.
    httpx.post(f"{url}/moto-api/reset")
    yield lambda service: session.create_client(
        service, region_name=world.REGION, endpoint_url=url, aws_access_key_id="test", aws_secret_access_key="test"
    )
    server.stop()


async def test_motos_registry_is_told_as_moto_describes_it(moto: Any, connect: Connect) -> None:
    sagemaker, s3 = moto("sagemaker"), moto("s3")
    s3.create_bucket(Bucket="reports", CreateBucketConfiguration={"LocationConstraint": world.REGION})
    s3.put_object(
        Bucket="reports",
        Key="1.json",
        Body=b'{"binary_classification_metrics": {"accuracy": {"value": 0.91, "standard_deviation": "NaN"}}}',
    )
    sagemaker.create_model_package_group(
        ModelPackageGroupName="churn", Tags=[{"Key": "team", "Value": "care"}], ModelPackageGroupDescription="leaving"
    )
    for number in range(3):
        sagemaker.create_model_package(
            ModelPackageGroupName="churn",
            ModelPackageDescription=f"attempt {number}",
            ModelApprovalStatus="PendingManualApproval",
            InferenceSpecification=world.SPECIFICATION,
            ModelMetrics=world.metrics_at("s3://reports/1.json"),
            CustomerMetadataProperties={"owner": "ada"},
        )
    sagemaker.create_model_package(ModelPackageName="alone", InferenceSpecification=world.SPECIFICATION)

    connector = await connect(plan="describe")

    (run,) = await connector.runs()
    assert (run.status, run.plan) == (Status.COMPLETED, "describe"), run.error
    versions = await connector.versions()
    summaries = sagemaker.list_model_packages(ModelPackageType="Both")["ModelPackageSummaryList"]
    assert {summary["ModelPackageArn"] for summary in summaries} == set(versions)
    assert len(versions) == 4
    (model,) = await connector.events(world.MODEL_OBSERVED)
    assert model.data["name"] == "churn"
    assert model.data["description"] == "leaving"
    assert model.data["tags"] == {"team": "care"}
    for urn, version in versions.items():
        described = sagemaker.describe_model_package(ModelPackageName=urn)
        assert version.version == described.get("ModelPackageVersion")
        assert version.description == described.get("ModelPackageDescription")
        assert version.source_status == described["ModelPackageStatus"]
        assert version.source_approval_status == described.get("ModelApprovalStatus")
        assert version.created_at == to_utc(described["CreationTime"])
        assert version.properties == described.get("CustomerMetadataProperties", {})
        assert version.artifacts[0].uri == "s3://models/model.tar.gz"
        assert version.image == "registry.example.com/xgboost:1.7"
        if version.model:
            assert version.model == model.subject
            assert version.tags == {"team": "care"}
            assert version.metrics["accuracy"].value == 0.91
            assert version.metrics["accuracy"].standard_deviation is None
        else:
            assert version.name == "alone"

    told = len(await connector.events())
    await connector.poll()
    assert len(await connector.events()) == told
    await connector.full()
    assert len(await connector.events()) == told + 1


async def test_a_change_in_moto_is_one_event(moto: Any, connect: Connect) -> None:
    sagemaker = moto("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName="churn")
    urn = sagemaker.create_model_package(
        ModelPackageGroupName="churn",
        ModelApprovalStatus="PendingManualApproval",
        InferenceSpecification=world.SPECIFICATION,
    )["ModelPackageArn"]
    connector = await connect(plan="describe")
    told = len(await connector.events())
    sagemaker.update_model_package(ModelPackageArn=urn, ModelApprovalStatus="Rejected")
    await connector.poll()
    observed, completed = (await connector.events())[told:]
    assert (observed.subject, observed.data["source_approval_status"]) == (urn, "Rejected")
    assert completed.data["changed"] == 1


async def test_on_moto_too_a_drift_is_told_and_put_back(moto: Any, connect: Connect) -> None:
    """Without labels: moto takes an update that names no approval for one that has none."""
    sagemaker = moto("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName="churn")
    urn = sagemaker.create_model_package(
        ModelPackageGroupName="churn",
        ModelApprovalStatus="PendingManualApproval",
        InferenceSpecification=world.SPECIFICATION,
    )["ModelPackageArn"]
    connector = await connect(plan="describe", write_back=True, on_drift="restore")
    sagemaker.update_model_package(ModelPackageArn=urn, ModelApprovalStatus="Approved")
    await connector.poll()
    await decisions.settled(connector)
    package = sagemaker.describe_model_package(ModelPackageName=urn)
    assert package["ModelApprovalStatus"] == "PendingManualApproval"
    assert "had set Approved" in package["ApprovalDescription"]
    versions = [event.payload for event in await connector.events(world.OBSERVED)]
    assert [version.approval_drift is not None for version in versions] == [False, True, False]  # type: ignore[attr-defined]
