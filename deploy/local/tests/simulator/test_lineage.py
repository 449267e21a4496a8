"""From a model package up to the job that trained it."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from .conftest import register
from .test_serving import ROLE


async def test_a_package_leads_to_the_job_that_made_its_model(sagemaker: Any) -> None:
    made = await _train(sagemaker)
    package = await _register(sagemaker, made)
    (artifact,) = (await sagemaker.list_artifacts(SourceUri=package))["ArtifactSummaries"]
    assert (artifact["ArtifactType"], artifact["Source"]) == ("ModelPackage", {"SourceUri": package})

    upstream = await _query(sagemaker, artifact["ArtifactArn"])
    assert {(each["LineageType"], each["Type"]) for each in upstream["Vertices"]} == {
        *(("Artifact", "Model"), ("Artifact", "Image"), ("Artifact", "DataSet")),
        ("TrialComponent", "TrainingJob"),
    }
    # Its model, and the job before it: what lies on the way comes along.
    filters = {"LineageTypes": ["TrialComponent"]}
    near = await _query(sagemaker, artifact["ArtifactArn"], Filters=filters, MaxDepth=2)
    assert [each["Type"] for each in near["Vertices"]] == ["Model", "TrainingJob"]
    assert len(near["Edges"]) == 2
    assert (await _query(sagemaker, artifact["ArtifactArn"], Filters=filters, MaxDepth=1))["Vertices"] == []
    bare = await _query(sagemaker, artifact["ArtifactArn"], Filters=filters, IncludeEdges=False)
    assert [each["Type"] for each in bare["Vertices"]] == ["TrainingJob"]

    name = bare["Vertices"][0]["Arn"].rpartition("/")[2]
    component = await sagemaker.describe_trial_component(TrialComponentName=name)
    job = await sagemaker.describe_training_job(TrainingJobName="train-1")
    assert component["Source"]["SourceArn"] == job["TrainingJobArn"]


async def test_what_is_associated_by_hand_counts_too(sagemaker: Any) -> None:
    await _train(sagemaker)
    package = await _register(sagemaker, "s3://elsewhere/model.tar.gz")
    (artifact,) = (await sagemaker.list_artifacts(SourceUri=package))["ArtifactSummaries"]
    filters = {"LineageTypes": ["TrialComponent"]}
    assert (await _query(sagemaker, artifact["ArtifactArn"], Filters=filters))["Vertices"] == []
    component = await sagemaker.describe_trial_component(TrialComponentName="train-1-aws-training-job")
    await sagemaker.add_association(
        SourceArn=component["TrialComponentArn"], DestinationArn=artifact["ArtifactArn"], AssociationType="Produced"
    )
    (found,) = (await _query(sagemaker, artifact["ArtifactArn"], Filters=filters))["Vertices"]
    assert found["Arn"] == component["TrialComponentArn"]


async def test_of_what_is_not_there_it_says_so(sagemaker: Any) -> None:
    nothing = "arn:aws:sagemaker:eu-central-1:123456789012:artifact/nothing"
    assert (await sagemaker.list_artifacts(SourceUri="s3://nothing"))["ArtifactSummaries"] == []
    with pytest.raises(ClientError, match="does not exist"):
        await _query(sagemaker, nothing)
    with pytest.raises(ClientError, match="does not exist"):
        await sagemaker.describe_trial_component(TrialComponentName="nothing")


async def _train(sagemaker: Any) -> str:
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://data/train/"}}
    await sagemaker.create_training_job(
        TrainingJobName="train-1",
        AlgorithmSpecification={"TrainingImage": "xgboost:1", "TrainingInputMode": "File"},
        RoleArn=ROLE,
        InputDataConfig=[{"ChannelName": "train", "DataSource": source}],
        OutputDataConfig={"S3OutputPath": "s3://models/out"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
        StoppingCondition={"MaxRuntimeInSeconds": 60},
    )
    made: str = (await sagemaker.describe_training_job(TrainingJobName="train-1"))["ModelArtifacts"]["S3ModelArtifacts"]
    return made


async def _register(sagemaker: Any, model: str) -> str:
    await sagemaker.create_model_package_group(ModelPackageGroupName="churn")
    containers = [{"Image": "xgboost:serving", "ModelDataUrl": model}]
    specification = {
        "Containers": containers,
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    }
    return await register(sagemaker, "churn", InferenceSpecification=specification)


async def _query(sagemaker: Any, start: str, **given: Any) -> dict[str, Any]:
    found: dict[str, Any] = await sagemaker.query_lineage(
        **{"StartArns": [start], "Direction": "Ascendants", "IncludeEdges": True, **given}
    )
    return found
