"""From a package through a model to the endpoint that serves it."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from .conftest import register

ROLE = "arn:aws:iam::123456789012:role/ml"


async def test_what_an_endpoint_serves_can_be_followed_to_the_package(sagemaker: Any) -> None:
    arn = await _serve(sagemaker)

    endpoint = await sagemaker.describe_endpoint(EndpointName="churn-production")
    config = await sagemaker.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
    model = await sagemaker.describe_model(ModelName=config["ProductionVariants"][0]["ModelName"])

    assert endpoint["EndpointStatus"] == "InService"
    assert endpoint["ProductionVariants"][0]["CurrentWeight"] == 1.0
    assert model["PrimaryContainer"]["ModelPackageName"] == arn


async def test_search_shows_a_model_with_its_endpoints(sagemaker: Any) -> None:
    await _serve(sagemaker)

    models = (await sagemaker.search(Resource="Model"))["Results"]
    endpoints = (await sagemaker.search(Resource="Endpoint"))["Results"]

    assert [each["Model"]["Model"]["ModelName"] for each in models] == ["churn-1"]
    assert [each["EndpointName"] for each in models[0]["Model"]["Endpoints"]] == ["churn-production"]
    assert endpoints[0]["Endpoint"]["Tags"] == [{"Key": "environment", "Value": "production"}]


async def test_an_endpoint_moves_to_another_configuration(sagemaker: Any) -> None:
    await _serve(sagemaker)
    variant = {
        "VariantName": "canary",
        "ModelName": "churn-1",
        "InitialInstanceCount": 1,
        "InstanceType": "ml.m5.large",
    }
    await sagemaker.create_endpoint_config(EndpointConfigName="next", ProductionVariants=[variant])

    await sagemaker.update_endpoint(EndpointName="churn-production", EndpointConfigName="next")

    endpoint = await sagemaker.describe_endpoint(EndpointName="churn-production")
    assert [each["VariantName"] for each in endpoint["ProductionVariants"]] == ["canary"]
    assert endpoint["LastModifiedTime"] >= endpoint["CreationTime"]


async def test_what_is_deleted_is_gone_from_lists_and_search(sagemaker: Any) -> None:
    await _serve(sagemaker)
    assert len((await sagemaker.list_endpoints(StatusEquals="InService"))["Endpoints"]) == 1
    assert len((await sagemaker.list_models())["Models"]) == 1

    await sagemaker.delete_endpoint(EndpointName="churn-production")
    await sagemaker.delete_model(ModelName="churn-1")

    assert (await sagemaker.list_endpoints())["Endpoints"] == []
    assert (await sagemaker.list_models())["Models"] == []
    assert (await sagemaker.search(Resource="Model"))["Results"] == []
    with pytest.raises(ClientError, match="Could not find endpoint"):
        await sagemaker.describe_endpoint(EndpointName="churn-production")


async def test_a_model_of_a_package_that_is_not_there_is_refused(sagemaker: Any) -> None:
    arn = "arn:aws:sagemaker:eu-central-1:123456789012:model-package/churn/1"

    with pytest.raises(ClientError, match="does not exist"):
        await sagemaker.create_model(ModelName="m", PrimaryContainer={"ModelPackageName": arn}, ExecutionRoleArn=ROLE)


async def test_a_training_job_is_done_at_once(sagemaker: Any) -> None:
    await sagemaker.create_training_job(
        TrainingJobName="train-1",
        AlgorithmSpecification={"TrainingImage": "xgboost:1", "TrainingInputMode": "File"},
        RoleArn=ROLE,
        OutputDataConfig={"S3OutputPath": "s3://models/out"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
        StoppingCondition={"MaxRuntimeInSeconds": 60},
    )

    job = await sagemaker.describe_training_job(TrainingJobName="train-1")

    assert job["TrainingJobStatus"] == "Completed"
    assert job["ModelArtifacts"]["S3ModelArtifacts"] == "s3://models/out/train-1/output/model.tar.gz"
    with pytest.raises(ClientError, match="not found"):
        await sagemaker.describe_training_job(TrainingJobName="train-2")


async def _serve(sagemaker: Any) -> str:
    await sagemaker.create_model_package_group(ModelPackageGroupName="churn")
    arn = await register(sagemaker, "churn")
    await sagemaker.create_model(ModelName="churn-1", PrimaryContainer={"ModelPackageName": arn}, ExecutionRoleArn=ROLE)
    await sagemaker.create_endpoint_config(
        EndpointConfigName="churn-1",
        ProductionVariants=[
            {"VariantName": "all", "ModelName": "churn-1", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
        ],
    )
    await sagemaker.create_endpoint(
        EndpointName="churn-production",
        EndpointConfigName="churn-1",
        Tags=[{"Key": "environment", "Value": "production"}],
    )
    return arn
