"""SageMaker's documents, as botocore would give them, in the words of the story."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

REPORT = "s3://acme-models/churn/7/evaluation.json"

Document = dict[str, Any]


@pytest.fixture
def a_package() -> Callable[..., Document]:
    return package_document


def package_document(**changes: Any) -> Document:
    """The seventh version of `churn`, whole; each change replaces a field, None removes it."""
    document: Document = {
        "ModelPackageArn": "arn:aws:sagemaker:eu-central-1:111122223333:model-package/churn/7",
        "ModelPackageName": "churn",
        "ModelPackageGroupName": "Churn",
        "ModelPackageVersion": 7,
        "ModelPackageRegistrationType": "Registered",
        "ModelPackageDescription": "Leaves within 90 days\x00",
        "ModelPackageStatus": "Completed",
        "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
        "ModelApprovalStatus": "PendingManualApproval",
        "CreationTime": datetime(2026, 3, 1, 9, 0, tzinfo=UTC),
        "LastModifiedTime": datetime(2026, 3, 2, 9, 0, tzinfo=UTC),
        "CreatedBy": {"IamIdentity": {"Arn": "arn:aws:sts::111122223333:assumed-role/pipelines/run"}},
        "InferenceSpecification": {
            "Containers": [
                {
                    "Image": "492215442770.dkr.ecr.eu-central-1.amazonaws.com/sagemaker-xgboost:1.7-1",
                    "ImageDigest": "sha256:" + "ab" * 32,
                    "ModelDataUrl": "s3://acme-models/churn-train-2026-03-01/output/model.tar.gz",
                    "ModelDataETag": "5d41402abc4b2a76b9719d911017c592",
                    "Environment": {"SAGEMAKER_PROGRAM": "inference.py"},
                }
            ],
            "SupportedContentTypes": ["text/csv", "application/json"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
        "MetadataProperties": {"CommitId": "0f1e2d", "GeneratedBy": "arn:aws:sagemaker:eu-central-1:1:pipeline/p"},
        "ModelMetrics": {"ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": REPORT}}},
        "CustomerMetadataProperties": {"team": "retention"},
        "ModelLifeCycle": {"Stage": "Development", "StageStatus": "InProgress"},
        "ModelCard": {"ModelCardContent": '{"model_overview": {}}', "ModelCardStatus": "Draft"},
        "ResponseMetadata": {"RequestId": "changes-with-every-call"},
    }
    return {name: value for name, value in {**document, **changes}.items() if value is not None}
