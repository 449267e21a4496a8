import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from assent_common import content as contents
from assent_common.events.registry import Better, LifeCycle, Metric, MetricKind, MetricsStatus, ModelVersionObserved
from assent_sagemaker.mapping.documents import ModelPackage, Unmappable
from assent_sagemaker.mapping.metrics.read import Reading, Unreadable, read
from assent_sagemaker.mapping.packages import model_version
from assent_sagemaker.mapping.reports import Outcomes, reports_of
from hypothesis import given
from hypothesis import strategies as st

REPORT = "s3://acme-models/churn/7/evaluation.json"
Package = Callable[..., dict[str, Any]]


def a_report(**metrics: float) -> Reading:
    values = {name: {"value": value} for name, value in metrics.items()}
    reading = read(json.dumps({"binary_classification_metrics": values}).encode())
    assert isinstance(reading, Reading)
    return reading


def observed(document: dict[str, Any], outcomes: Outcomes | None = None, **given: Any) -> ModelVersionObserved:
    package = ModelPackage.from_document(document)
    outcomes = outcomes or Outcomes(now={REPORT: a_report(accuracy=0.91, precision=0.88)})
    return model_version(package, source="prod-eu", **{"tags": {}, "outcomes": outcomes, **given})


def test_a_package_becomes_a_version_with_all_its_fields(a_package: Package) -> None:
    version = observed(a_package(), tags={"team": "retention"})
    assert version.urn == "arn:aws:sagemaker:eu-central-1:111122223333:model-package/churn/7"
    assert version.model == "arn:aws:sagemaker:eu-central-1:111122223333:model-package-group/churn"
    assert (version.source, version.name, version.version) == ("prod-eu", "Churn", 7)
    assert version.description == "Leaves within 90 days"
    assert version.type == "binary_classification"
    assert (version.framework, version.framework_version, version.algorithm) == ("xgboost", "1.7", "xgboost")
    assert version.metrics["accuracy"] == Metric(value=0.91, report=REPORT, better=Better.HIGHER)
    assert version.metrics_status is MetricsStatus.COMPLETE
    assert [(report.role, report.status) for report in version.reports] == [("model_quality", MetricsStatus.COMPLETE)]
    assert version.source_status == "Completed"
    assert version.source_approval_status == "PendingManualApproval"
    assert version.registration_type == "Registered"
    assert version.life_cycle == LifeCycle(stage="Development", status="InProgress")
    assert [artifact.uri for artifact in version.artifacts] == [
        "s3://acme-models/churn-train-2026-03-01/output/model.tar.gz"
    ]
    assert version.artifacts[0].digest == "5d41402abc4b2a76b9719d911017c592"
    assert version.image == "492215442770.dkr.ecr.eu-central-1.amazonaws.com/sagemaker-xgboost:1.7-1"
    assert version.image_digest == "sha256:" + "ab" * 32
    assert version.training_job == "churn-train-2026-03-01"
    assert version.provenance["commit_id"] == "0f1e2d"
    assert version.tags == {"team": "retention"}
    assert version.properties == {"team": "retention"}
    assert version.created_at == datetime(2026, 3, 1, 9, tzinfo=UTC)
    assert version.created_by == "arn:aws:sts::111122223333:assumed-role/pipelines/run"
    assert version.modified_at == datetime(2026, 3, 2, 9, tzinfo=UTC)


def test_of_several_containers_each_artifact_is_told_and_judged_and_the_first_image_is_its_image(
    a_package: Package,
) -> None:
    containers = [
        {"ModelDataUrl": "s3://models/features.tar.gz", "ModelDataETag": "a1"},
        {"ModelDataUrl": "s3://models/scores.tar.gz", "ModelDataETag": "b2", "Image": "123.dkr.ecr/scores:2"},
        {"Image": "123.dkr.ecr/labels:3"},
    ]
    version = observed(a_package(InferenceSpecification={"Containers": containers}))
    assert [(a.uri, a.digest) for a in version.artifacts] == [
        ("s3://models/features.tar.gz", "a1"),
        ("s3://models/scores.tar.gz", "b2"),
    ]
    assert version.image == "123.dkr.ecr/scores:2"
    for place, part in ((0, "artifacts.0.ModelDataETag"), (2, "images.2.Image")):
        other = [dict(container) for container in containers]
        other[place][part.rpartition(".")[2]] = "another"
        changed = observed(a_package(InferenceSpecification={"Containers": other}))
        assert [change.part for change in contents.diff(version.content, changed.content)] == [part]


def test_a_package_may_have_no_container_and_no_image(a_package: Package) -> None:
    specifications: list[Any] = [None, {"Containers": []}, {"Containers": [{"ModelDataUrl": "s3://models/m.tar.gz"}]}]
    for specification in specifications:
        version = observed(a_package(InferenceSpecification=specification, SourceAlgorithmSpecification=None))
        assert (version.image, version.image_digest) == (None, None)


def test_raw_is_the_whole_document_as_json_without_the_response_around_it(a_package: Package) -> None:
    raw = observed(a_package(SkipModelValidation="None", Odd=float("nan"))).raw
    assert json.loads(json.dumps(raw, allow_nan=False)) == raw
    assert raw["CreationTime"] == "2026-03-01T09:00:00Z"
    assert raw["ModelCard"]["ModelCardContent"] == '{"model_overview": {}}'
    assert raw["ModelPackageDescription"] == "Leaves within 90 days"
    assert raw["Odd"] is None
    assert "ResponseMetadata" not in raw


def test_a_document_without_what_all_have_is_refused_by_name(a_package: Package) -> None:
    with pytest.raises(Unmappable, match="CreationTime"):
        ModelPackage.from_document(a_package(CreationTime=None))
    with pytest.raises(Unmappable, match="ModelPackageArn"):
        observed(a_package(ModelPackageArn="churn/7"))


def test_an_unversioned_package_has_no_model_and_its_own_tags(a_package: Package) -> None:
    arn = "arn:aws-cn:sagemaker:cn-north-1:111122223333:model-package/scorer"
    version = observed(
        a_package(
            ModelPackageArn=arn,
            ModelPackageName="scorer",
            ModelPackageGroupName=None,
            ModelPackageVersion=None,
            Tags=[{"Key": "team", "Value": "risk"}],
        )
    )
    assert (version.model, version.name, version.version) == (None, "scorer", None)
    assert version.tags == {"team": "risk"}


def test_the_groups_own_spelling_of_its_urn_stands(a_package: Package) -> None:
    urn = "arn:aws:sagemaker:eu-central-1:111122223333:model-package-group/Churn"
    assert observed(a_package(), model=urn).model == urn


def test_a_missing_modification_time_stays_missing(a_package: Package) -> None:
    assert observed(a_package(LastModifiedTime=None)).modified_at is None


# --- reports


def test_a_report_not_read_yet_is_pending(a_package: Package) -> None:
    version = observed(a_package(), Outcomes(now={}))
    assert (version.metrics, version.metrics_status) == ({}, MetricsStatus.PENDING)
    assert version.metrics_reason
    assert REPORT in version.metrics_reason


def test_an_unreadable_report_leaves_the_values_and_the_hash_standing(a_package: Package) -> None:
    reading = a_report(accuracy=0.91, precision=0.88)
    before = observed(a_package(), Outcomes(now={REPORT: reading}))
    outage = observed(a_package(), Outcomes(now={REPORT: Unreadable(reason="access denied")}, before={REPORT: reading}))
    assert outage.metrics == before.metrics
    assert outage.content_hash == before.content_hash
    assert outage.metrics_status is MetricsStatus.UNREADABLE
    assert outage.metrics_reason == f"model_quality: access denied ({REPORT})"
    assert outage.reports[0].digest == before.reports[0].digest


def test_an_unreadable_report_that_was_never_read_gives_no_values(a_package: Package) -> None:
    version = observed(a_package(), Outcomes(now={REPORT: Unreadable(reason="there is no such file")}))
    assert (version.metrics, version.metrics_status) == ({}, MetricsStatus.UNREADABLE)


def test_a_version_without_reports_is_complete(a_package: Package) -> None:
    assert observed(a_package(ModelMetrics=None)).metrics_status is MetricsStatus.COMPLETE


def test_the_reports_that_measure_come_before_what_they_are_held_against(a_package: Package) -> None:
    source = {"ContentType": "application/json", "S3Uri": "s3://b/k"}
    package = ModelPackage.from_document(
        a_package(
            ModelMetrics={
                "ModelQuality": {"Statistics": source, "Constraints": source},
                "ModelDataQuality": {"Constraints": source},
                "Bias": {"PostTrainingReport": source},
                "Explainability": {"Report": source},
            }
        )
    )
    assert [named.role for named in reports_of(package)] == [
        "model_quality",
        "post_training_bias",
        "explainability",
        "model_quality_constraints",
        "model_data_quality_constraints",
    ]


def test_a_declared_metric_yields_to_a_measured_one(a_package: Package) -> None:
    properties = {"accuracy": "0.99", "eval_f1": "0,8", "r2": "high", "threshold": "0.5", "team": "7"}
    version = observed(a_package(CustomerMetadataProperties=properties))
    assert version.metrics["accuracy"].value == 0.91
    assert version.metrics["accuracy"].kind is MetricKind.MEASURED
    assert version.metrics["f1"] == Metric(value=0.8, kind=MetricKind.DECLARED, source_name="eval_f1")
    assert set(version.metrics) == {"accuracy", "precision", "f1"}


# --- type, framework, algorithm, training job


def container(**fields: Any) -> dict[str, Any]:
    return {"InferenceSpecification": {"Containers": [fields]}}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"Task": "REGRESSION"}, "regression"),
        ({"Task": "CLASSIFICATION"}, "binary_classification"),
        ({"Task": "OTHER", "Domain": "COMPUTER_VISION"}, "binary_classification"),
        ({"Task": "IMAGE_CLASSIFICATION"}, "image_classification"),
        ({"Task": "OTHER", "Domain": "COMPUTER_VISION", "ModelMetrics": None}, "computer_vision"),
        ({"Task": "Fraud Scoring"}, "fraud_scoring"),
        ({"CustomerMetadataProperties": {"ProblemType": "Multi-Class"}}, "multiclass_classification"),
        ({"ModelCard": {"ModelCardContent": '{"model_overview": {"problem_type": "Regression"}}'}}, "regression"),
        ({"ModelCard": {"ModelCardContent": "{not json"}}, "binary_classification"),
        ({"ModelMetrics": None}, None),
        ({"ModelMetrics": None, **container(Image="1.dkr.ecr.eu-west-1.amazonaws.com/kmeans:1")}, "clustering"),
    ],
)
def test_the_type_is_told_by_whoever_knows(a_package: Package, changes: dict[str, Any], expected: str | None) -> None:
    assert observed(a_package(**changes)).type == expected


@pytest.mark.parametrize(
    ("fields", "framework", "version"),
    [
        ({"Image": "1.dkr.ecr.eu-west-1.amazonaws.com/pytorch-inference:2.1.0-cpu-py310"}, "pytorch", "2.1.0"),
        ({"Image": "1.dkr.ecr.eu-west-1.amazonaws.com/tensorflow-inference:2.13-gpu"}, "tensorflow", "2.13"),
        ({"Image": "1.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"}, "scikit-learn", "1.2"),
        (
            {"Image": "1.dkr.ecr.eu-west-1.amazonaws.com/huggingface-pytorch-inference:2.1.0-transformers4.37.0-cpu"},
            "huggingface",
            "4.37.0",
        ),
        ({"Image": "1.dkr.ecr.eu-west-1.amazonaws.com/xgboost:latest"}, "xgboost", None),
        ({"Image": "1.dkr.ecr.eu-west-1.amazonaws.com/our-scorer:2.0"}, None, None),
        ({"Image": "own/thing", "Framework": "SKLEARN", "FrameworkVersion": "1.4"}, "scikit-learn", "1.4"),
        ({"Framework": "TENSORFLOW"}, "tensorflow", None),
        ({"Image": "localhost:5000/sagemaker-xgboost@sha256:00"}, "xgboost", None),
    ],
)
def test_the_framework_is_told_by_container_or_image(
    a_package: Package, fields: dict[str, Any], framework: str | None, version: str | None
) -> None:
    got = observed(a_package(**container(**fields)))
    assert (got.framework, got.framework_version) == (framework, version)


def test_the_algorithm_may_be_the_model_that_it_started_from(a_package: Package) -> None:
    assert observed(a_package(**container(NearestModelName="resnet50"))).algorithm == "resnet50"
    assert observed(a_package(CustomerMetadataProperties={"algorithm": "LightGBM"})).algorithm == "LightGBM"


def test_the_training_job_is_the_one_that_generated_it(a_package: Package) -> None:
    job = "arn:aws:sagemaker:eu-central-1:111122223333:training-job/churn-42"
    assert observed(a_package(MetadataProperties={"GeneratedBy": job})).training_job == job
    elsewhere = container(ModelDataUrl="s3://acme-models/exports/model.tar.gz")
    assert observed(a_package(**elsewhere)).training_job is None


# --- content


UNJUDGED: list[dict[str, Any]] = [
    {"ModelApprovalStatus": "Approved", "ApprovalDescription": "Accepted in Assent"},
    {"ModelLifeCycle": {"Stage": "Production", "StageStatus": "Live"}},
    {"CustomerMetadataProperties": {"assent": "accepted", "accuracy": "0.99"}},
    {"ModelCard": {"ModelCardContent": "{}", "ModelCardStatus": "Approved"}},
    {"LastModifiedTime": datetime(2027, 1, 1, tzinfo=UTC), "LastModifiedBy": {"UserProfileName": "ada"}},
    {"CreationTime": datetime(2026, 3, 1, 10, tzinfo=timezone(timedelta(hours=1)))},
    {"ModelPackageStatus": "InProgress"},
    {"Tags": [{"Key": "a", "Value": "b"}]},
    {"SourceUri": None},
]


@pytest.mark.parametrize("changes", UNJUDGED)
def test_what_is_not_judged_does_not_touch_the_hash(a_package: Package, changes: dict[str, Any]) -> None:
    assert observed(a_package(**changes)).content_hash == observed(a_package()).content_hash


@pytest.mark.parametrize(
    ("where", "key", "value", "part"),
    [
        ("container", "ModelDataUrl", "s3://acme-models/other/model.tar.gz", "artifacts.0.ModelDataUrl"),
        ("container", "ModelDataETag", "another", "artifacts.0.ModelDataETag"),
        (
            "container",
            "AdditionalModelDataSources",
            [{"ChannelName": "adapter"}],
            "artifacts.0.AdditionalModelDataSources",
        ),
        ("container", "Image", "xgboost:9", "images.0.Image"),
        ("container", "ImageDigest", "sha256:00", "images.0.ImageDigest"),
        ("container", "Environment", {"A": "b"}, "inference_specification.Containers.0.Environment.A"),
        ("specification", "SupportedContentTypes", ["text/csv"], "inference_specification.SupportedContentTypes"),
        ("package", "ModelPackageDescription", "another", "description"),
        ("package", "SourceUri", "models:/churn/7", "source_uri"),
        (
            "package",
            "AdditionalInferenceSpecifications",
            [{"Name": "neo", "Containers": [{"Image": "i"}]}],
            "additional_inference_specifications",
        ),
    ],
)
def test_every_judged_part_changes_the_hash_and_is_named_by_the_diff(
    a_package: Package, where: str, key: str, value: Any, part: str
) -> None:
    document = a_package()
    specification = document["InferenceSpecification"]
    changed = {"package": document, "specification": specification, "container": specification["Containers"][0]}[where]
    before = observed(a_package())
    changed[key] = value
    after = observed(document)
    assert after.content_hash != before.content_hash
    assert part in [change.part for change in contents.diff(before.content, after.content)]


def test_a_changed_metric_is_named_with_its_values(a_package: Package) -> None:
    before = observed(a_package(), Outcomes(now={REPORT: a_report(accuracy=0.91)}))
    after = observed(a_package(), Outcomes(now={REPORT: a_report(accuracy=0.7)}))
    assert after.content_hash != before.content_hash
    (change,) = contents.diff(before.content, after.content)
    assert (change.part, change.before, change.after) == ("metrics.model_quality.accuracy.value", 0.91, 0.7)


@given(st.randoms())
def test_the_order_of_keys_does_not_change_anything(chance: Any) -> None:
    from_order = {"a": {"y": 1, "x": 2}, "b": [1]}
    document = _package_for_properties(from_order)
    assert observed(_shuffled(document, chance)) == observed(document)


def _package_for_properties(environment: dict[str, Any]) -> dict[str, Any]:
    return {
        "ModelPackageArn": "arn:aws:sagemaker:eu-central-1:111122223333:model-package/churn/7",
        "ModelPackageStatus": "Completed",
        "CreationTime": datetime(2026, 3, 1, tzinfo=UTC),
        "CustomerMetadataProperties": {"acc": "0.1", "accuracy_score": "0.2", "Accuracy": "0.3"},
        "InferenceSpecification": {"Containers": [{"Image": "xgboost:1", "Environment": environment}]},
    }


def _shuffled(value: Any, chance: Any) -> Any:
    if not isinstance(value, dict):
        return value
    keys = list(value)
    chance.shuffle(keys)
    return {key: _shuffled(value[key], chance) for key in keys}


def test_the_order_of_supported_types_does_not_matter(a_package: Package) -> None:
    document = a_package()
    document["InferenceSpecification"]["SupportedContentTypes"].reverse()
    assert observed(document).content_hash == observed(a_package()).content_hash
