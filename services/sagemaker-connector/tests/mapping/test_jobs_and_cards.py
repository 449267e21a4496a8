"""The job that made a version, and the card that it carries."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from assent_common.events.registry import DatasetRole, ModelVersionObserved
from assent_sagemaker.mapping import jobs
from assent_sagemaker.mapping.documents import ModelPackage
from assent_sagemaker.mapping.jobs import Job
from assent_sagemaker.mapping.packages import model_version
from assent_sagemaker.mapping.reports import Outcomes

Package = Callable[..., dict[str, Any]]

ARN = "arn:aws:sagemaker:eu-central-1:111122223333:training-job/churn-train"


def job_document(**changes: Any) -> dict[str, Any]:
    document = {
        "TrainingJobArn": ARN,
        "TrainingJobName": "churn-train",
        "TrainingJobStatus": "Completed",
        "AlgorithmSpecification": {"TrainingImage": "image:1", "TrainingInputMode": "File"},
        "HyperParameters": {"max_depth": "6"},
        "FinalMetricDataList": [{"MetricName": "validation:auc", "Value": 0.91}],
        "InputDataConfig": [
            {"ChannelName": "train", "DataSource": {"S3DataSource": {"S3Uri": "s3://data/train/"}}},
            {
                "ChannelName": "features",
                "DataSource": {"FileSystemDataSource": {"FileSystemId": "fs-1", "DirectoryPath": "/churn"}},
            },
            {"ChannelName": "none", "DataSource": {}},
        ],
        "ModelArtifacts": {"S3ModelArtifacts": "s3://acme-models/churn-train/output/model.tar.gz"},
        "ResourceConfig": {"InstanceType": "ml.m5.xlarge"},
        "TrainingEndTime": datetime(2026, 3, 1, 8, 30, tzinfo=UTC),
    }
    return {name: value for name, value in {**document, **changes}.items() if value is not None}


def observed(document: dict[str, Any], job: Job = jobs.NOT_READ) -> ModelVersionObserved:
    return model_version(ModelPackage.from_document(document), source="prod-eu", tags={}, outcomes=Outcomes(), job=job)


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("s3://acme/churn-train/output/model.tar.gz", "churn-train"),
        ("s3://acme/a/b/churn-train/output/model/", "churn-train"),
        ("s3://acme/churn-train/output/data.tar.gz", None),
        ("s3://acme/not_a_job/output/model.tar.gz", None),
        ("s3://acme/model.tar.gz", None),
    ],
)
def test_a_job_puts_its_artifact_under_its_name(a_package: Package, address: str, name: str | None) -> None:
    specification = {"Containers": [{"Image": "image:1", "ModelDataUrl": address}]}
    package = ModelPackage.from_document(a_package(InferenceSpecification=specification))
    found = jobs.reference(package)
    assert (found.told if found else None) == name
    if found:
        assert str(found.arn) == f"arn:aws:sagemaker:eu-central-1:111122223333:training-job/{name}"


def test_what_the_registry_says_goes_before_where_the_artifact_lies(a_package: Package) -> None:
    package = ModelPackage.from_document(a_package(MetadataProperties={"GeneratedBy": ARN}))
    found = jobs.reference(package)
    assert found is not None
    assert (found.told, found.found_by) == (ARN, "generated_by")


def test_a_job_becomes_what_a_version_was_made_by_and_of(a_package: Package) -> None:
    version = observed(a_package(MetadataProperties={"GeneratedBy": ARN}), Job.known(job_document(), None))
    training = version.training
    assert training is not None
    assert (training.urn, training.image, training.hyperparameters) == (ARN, "image:1", {"max_depth": "6"})
    assert training.final_metrics == {"validation:auc": 0.91}
    assert training.ended_at == datetime(2026, 3, 1, 8, 30, tzinfo=UTC)
    assert [(data.urn, data.role) for data in version.datasets] == [
        ("s3://data/train/", DatasetRole.TRAINING),
        ("file-system://fs-1/churn", DatasetRole.OTHER),
    ]


def test_what_a_job_measured_is_no_metric_of_the_version(a_package: Package) -> None:
    assert observed(a_package(), Job.known(job_document(), None)).metrics == observed(a_package()).metrics


def test_what_made_it_is_not_judged(a_package: Package) -> None:
    read = observed(a_package(), Job.known(job_document(), None))
    assert read.content_hash == observed(a_package()).content_hash


def test_a_job_that_can_not_be_understood_says_so_and_spoils_nothing(a_package: Package) -> None:
    version = observed(a_package(), Job.known(job_document(TrainingJobStatus=None), None))
    assert version.training is None
    assert "TrainingJobStatus" in version.unread["training"]


def test_a_job_that_could_not_be_read_again_stands_with_the_reason(a_package: Package) -> None:
    version = observed(a_package(), Job.known(job_document(), "denied"))
    assert version.training is not None
    assert version.unread == {"training": "denied"}


def test_a_card_is_told_whole(a_package: Package) -> None:
    content = {"intended_uses": {"risk_rating": "High", "purpose_of_model": "churn\x00"}}
    card = observed(a_package(ModelCard={"ModelCardContent": json.dumps(content), "ModelCardStatus": "Approved"}))
    assert card.model_card is not None
    assert (card.model_card.status, card.model_card.risk_rating) == ("Approved", "High")
    assert card.model_card.content == {"intended_uses": {"risk_rating": "High", "purpose_of_model": "churn"}}
    assert card.model_card.unreadable is None


@pytest.mark.parametrize("content", ["{}", None, "not json", '{"a": ' * 2000 + "1" + "}" * 2000, "[" * 100_000])
def test_a_card_that_can_not_be_read_is_not_one_that_is_not_there(a_package: Package, content: str | None) -> None:
    card = observed(a_package(ModelCard={"ModelCardContent": content, "ModelCardStatus": "Draft"})).model_card
    assert card is not None
    assert card.content is None
    assert card.unreadable
    assert observed(a_package(ModelCard=None)).model_card is None


@pytest.mark.parametrize("content", ["[]", "1", '{"intended_uses": 7}', '{"intended_uses": {"risk_rating": 7}}'])
def test_a_card_of_another_form_has_no_rating(a_package: Package, content: str) -> None:
    card = observed(a_package(ModelCard={"ModelCardContent": content, "ModelCardStatus": "Draft"})).model_card
    assert card is not None
    assert card.risk_rating is None
