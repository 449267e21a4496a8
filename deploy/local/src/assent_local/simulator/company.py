"""The demo company moves in: its eighteen months are told through the API itself, with a clock that is wound on."""

import json
import random
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from assent_common.clock import FrozenClock

from assent_local.simulator import reports
from assent_local.simulator.caller import DEFAULT_ACCOUNT, DEFAULT_REGION, Caller, Place
from assent_local.simulator.faults import Dials, Faults
from assent_local.simulator.portfolio import CHURN, FRAUD, LINES, Line, Version
from assent_local.simulator.s3 import Buckets
from assent_local.simulator.sagemaker import SageMaker
from assent_local.simulator.shares import Shares
from assent_local.simulator.store import Kind, Store

BUCKET = "company-models"
PLACE = Place(DEFAULT_ACCOUNT, DEFAULT_REGION)

_SINCE = timedelta(days=548)
_NEWEST = timedelta(days=3)
_DECIDED_AFTER = timedelta(days=4)
_ROLE = f"arn:aws:iam::{DEFAULT_ACCOUNT}:role/ml-platform"

#: What happens, and when.
Happening = tuple[datetime, Callable[[], object]]


def move_in(store: Store, now: datetime) -> None:
    """Seven lines of models, forty versions and more, their reports, and two endpoints that serve two of them."""
    clock = FrozenClock(now)
    dials = Dials(Faults())
    history = _History(
        SageMaker(store, Shares(store), dials, clock, lambda place, package, fields: None),
        Buckets(store, dials, clock, lambda bucket, key: None),
        store,
    )
    with store.together():
        history.buckets.make(BUCKET)
        happenings = [happening for number, line in enumerate(LINES) for happening in _told(history, line, number, now)]
        happenings += _served(history, now)
        for moment, happen in sorted(happenings, key=lambda happening: happening[0]):
            clock.advance(moment - clock.now())
            happen()


class _History:
    """One happening after the other, each by whoever did it."""

    def __init__(self, sagemaker: SageMaker, buckets: Buckets, store: Store) -> None:
        self._sagemaker = sagemaker
        self._store = store
        self.buckets = buckets

    def call(self, who: str, operation: str, **request: Any) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self._sagemaker.call(operation, Caller(PLACE, "sagemaker", who), request))
        return answer

    def create_group(self, line: Line) -> None:
        tags = {"team": line.team, "owner": line.owner, "cost-centre": line.cost_centre, **line.extra_tags}
        self.call(
            line.owner,
            "CreateModelPackageGroup",
            ModelPackageGroupName=line.group,
            ModelPackageGroupDescription=line.description,
            Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
        )

    def train(self, line: Line, number: int) -> None:
        self.call(
            f"{line.team}-pipeline",
            "CreateTrainingJob",
            TrainingJobName=_job(line, number),
            AlgorithmSpecification={"TrainingImage": line.image, "TrainingInputMode": "File"},
            RoleArn=_ROLE,
            InputDataConfig=[
                {
                    "ChannelName": "train",
                    "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": line.dataset}},
                }
            ],
            OutputDataConfig={"S3OutputPath": f"s3://{BUCKET}/{line.group.lower()}"},
            ResourceConfig={"InstanceType": "ml.m5.2xlarge", "InstanceCount": 1, "VolumeSizeInGB": 50},
            StoppingCondition={"MaxRuntimeInSeconds": 7200},
            HyperParameters={"seed": str(number)},
        )

    def register(self, line: Line, number: int) -> None:
        version = line.versions[number - 1]
        dice = random.Random(f"{line.group}/{number}")  # noqa: S311 - numbers for a report
        metrics = _metrics(line, number, dice)
        evaluation = self._evaluated(line, version, number, metrics, dice)
        model_metrics: dict[str, Any] = {"ModelQuality": {"Statistics": evaluation}}
        if line.bias_report:
            gap = round(0.16 - 0.02 * number, 3)
            body = reports.written(reports.bias(gap))
            model_metrics["Bias"] = {"Report": self._report(line, number, "analysis.json", body)}
        self.call(
            f"{line.team}-pipeline",
            "CreateModelPackage",
            ModelPackageGroupName=line.group,
            ModelPackageDescription=version.description,
            ModelApprovalStatus="PendingManualApproval",
            Domain=line.domain,
            Task=line.task,
            InferenceSpecification=_specification(line, number, dice),
            ModelMetrics=model_metrics,
            MetadataProperties={
                "CommitId": f"{dice.getrandbits(160):040x}",
                "Repository": f"https://git.example.com/{line.team}/{line.group.lower()}",
                "GeneratedBy": PLACE.arn("pipeline", f"{line.group.lower()}/execution/{dice.getrandbits(48):012x}"),
            },
            CustomerMetadataProperties={
                "algorithm": line.algorithm,
                "training_data": line.dataset,
                "owner": line.owner,
            },
            ModelCard={
                "ModelCardContent": json.dumps(_card(line, number, metrics)),
                "ModelCardStatus": "Draft" if version.approval == "PendingManualApproval" else "PendingReview",
            },
            ModelLifeCycle={"Stage": "Development", "StageStatus": "Registered"},
        )
        if version.failed:
            self._fail(line, number)

    def decide(self, line: Line, number: int) -> None:
        version = line.versions[number - 1]
        stage, status = version.stage
        decision = (
            {}
            if version.approval == "PendingManualApproval"
            else {"ModelApprovalStatus": version.approval, "ApprovalDescription": version.because}
        )
        self.call(
            "release-manager",
            "UpdateModelPackage",
            ModelPackageArn=_arn(line, number),
            ModelLifeCycle={"Stage": stage, "StageStatus": status},
            **decision,
        )

    def deploy(self, line: Line, number: int, instances: int) -> None:
        name = f"{line.group}-v{number}"
        self.call(
            "release-manager",
            "CreateModel",
            ModelName=name,
            PrimaryContainer={"ModelPackageName": _arn(line, number)},
            ExecutionRoleArn=_ROLE,
        )
        self.call(
            "release-manager",
            "CreateEndpointConfig",
            EndpointConfigName=name,
            ProductionVariants=[
                {
                    "VariantName": "all-traffic",
                    "ModelName": name,
                    "InitialInstanceCount": instances,
                    "InstanceType": "ml.m5.large",
                    "InitialVariantWeight": 1.0,
                }
            ],
        )
        self.call(
            "release-manager",
            "CreateEndpoint",
            EndpointName=f"{line.group}-production",
            EndpointConfigName=name,
            Tags=[{"Key": "environment", "Value": "production"}],
        )

    def _evaluated(
        self, line: Line, version: Version, number: int, metrics: reports.Metrics, dice: random.Random
    ) -> dict[str, str]:
        report = line.report(metrics, dice, version.samples)
        body = reports.written(report, bare_nan=version.bare_nan, zipped=version.zipped)
        return self._report(line, number, "evaluation.json.gz" if version.zipped else "evaluation.json", body)

    def _report(self, line: Line, number: int, name: str, body: bytes) -> dict[str, str]:
        key = f"{line.group.lower()}/{_job(line, number)}/{name}"
        self.buckets.put(BUCKET, key, body, {"content-type": "application/json"})
        return {"ContentType": "application/json", "S3Uri": f"s3://{BUCKET}/{key}"}

    def _fail(self, line: Line, number: int) -> None:
        """No call brings this about: SageMaker's own validation does."""
        key = f"{line.group.lower()}/{number}"
        record = self._store.get(Kind.PACKAGE, PLACE, key)
        assert record is not None
        failure = {"Name": "validation", "Status": "Failed", "FailureReason": "The container ran out of memory"}
        details = {"ValidationStatuses": [failure], "ImageScanStatuses": []}
        self._store.put(
            Kind.PACKAGE,
            PLACE,
            key,
            {**record.document, "ModelPackageStatus": "Failed", "ModelPackageStatusDetails": details},
        )


def _told(history: _History, line: Line, position: int, now: datetime) -> Iterator[Happening]:
    """The life of one line. Its versions are spread from its beginning until the other day."""
    begins = now - _SINCE + timedelta(days=17 * position, hours=9 + position)
    step = (now - _NEWEST - timedelta(hours=5 * position) - begins) / len(line.versions)
    yield begins, lambda: history.create_group(line)
    for number, version in enumerate(line.versions, 1):
        registered = begins + step * number
        yield registered - timedelta(hours=3), _later(history.train, line, number)
        yield registered, _later(history.register, line, number)
        if version.looked_at:
            decided = min(registered + _DECIDED_AFTER, now - timedelta(hours=1 + position))
            yield decided, _later(history.decide, line, number)


def _served(history: _History, now: datetime) -> Iterator[Happening]:
    yield now - timedelta(days=40), lambda: history.deploy(CHURN, 7, instances=2)
    # In service, and yet nobody has approved it.
    yield now - timedelta(days=2), lambda: history.deploy(FRAUD, 4, instances=3)


def _later(happen: Callable[[Line, int], None], line: Line, number: int) -> Callable[[], None]:
    return lambda: happen(line, number)


def _arn(line: Line, number: int) -> str:
    return PLACE.arn(Kind.PACKAGE, f"{line.group.lower()}/{number}")


def _job(line: Line, number: int) -> str:
    return f"{line.group.lower()}-training-{number:03}"


def _metrics(line: Line, number: int, dice: random.Random) -> dict[str, float]:
    """From what the first version reached to what the last did, with a little noise in between."""
    share = (number - 1) / (len(line.versions) - 1)
    wobble = 0 if share in (0, 1) else dice.uniform(-0.08, 0.08)
    return {name: round(start + (line.last[name] - start) * (share + wobble), 4) for name, start in line.first.items()}


def _specification(line: Line, number: int, dice: random.Random) -> dict[str, Any]:
    return {
        "Containers": [
            {
                "Image": line.image,
                "ModelDataUrl": f"s3://{BUCKET}/{line.group.lower()}/{_job(line, number)}/output/model.tar.gz",
                "ModelDataETag": f"{dice.getrandbits(128):032x}",
                "Framework": line.framework,
                "FrameworkVersion": line.framework_version,
            }
        ],
        "SupportedContentTypes": list(line.content_types),
        "SupportedResponseMIMETypes": ["application/json"],
        "SupportedRealtimeInferenceInstanceTypes": ["ml.m5.large", "ml.m5.xlarge"],
        "SupportedTransformInstanceTypes": ["ml.m5.xlarge"],
    }


def _card(line: Line, number: int, metrics: reports.Metrics) -> dict[str, Any]:
    values = [{"name": name, "type": "number", "value": value} for name, value in metrics.items()]
    return {
        "model_overview": {"model_creator": line.owner},
        "intended_uses": {
            "purpose_of_model": line.purpose,
            "intended_uses": line.description,
            "risk_rating": line.risk,
        },
        "business_details": {"business_problem": line.purpose, "line_of_business": line.team},
        "training_details": {
            "training_job_details": {
                "training_arn": PLACE.arn(Kind.TRAINING_JOB, _job(line, number)),
                "training_datasets": [line.dataset],
            }
        },
        "evaluation_details": [
            {"name": "hold-out", "datasets": [line.dataset], "metric_groups": [{"name": "test", "metric_data": values}]}
        ],
    }
