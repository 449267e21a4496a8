"""Training jobs, as far as a registry's lineage needs them: created, and done at once."""

from collections.abc import Mapping
from typing import Any

from assent_common.clock import Clock

from assent_local.simulator import tags
from assent_local.simulator.caller import Caller
from assent_local.simulator.errors import AwsError, invalid
from assent_local.simulator.store import Document, Kind, Store

_KEPT = (
    "TrainingJobName",
    "HyperParameters",
    "AlgorithmSpecification",
    "RoleArn",
    "InputDataConfig",
    "OutputDataConfig",
    "ResourceConfig",
    "StoppingCondition",
    "Environment",
)


class Training:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self.operations = {"CreateTrainingJob": self.create_job, "DescribeTrainingJob": self.describe_job}

    def create_job(self, caller: Caller, request: Mapping[str, Any]) -> Document:
        name: str = request["TrainingJobName"]
        arn = caller.place.arn(Kind.TRAINING_JOB, name)
        if self._store.get(Kind.TRAINING_JOB, caller.place, name.casefold()):
            raise AwsError("ResourceInUse", f"Training job {arn} already exists.")
        now = round(self._clock.now().timestamp(), 3)
        output = request["OutputDataConfig"]["S3OutputPath"].rstrip("/")
        document = {
            **{member: request[member] for member in _KEPT if member in request},
            "TrainingJobArn": arn,
            "ModelArtifacts": {"S3ModelArtifacts": f"{output}/{name}/output/model.tar.gz"},
            "TrainingJobStatus": "Completed",
            "SecondaryStatus": "Completed",
            "CreationTime": now,
            "TrainingStartTime": now,
            "TrainingEndTime": now,
            "LastModifiedTime": now,
        }
        with self._store.together():
            tags.write(self._store, caller.place, arn, request.get("Tags", []))
            self._store.put(Kind.TRAINING_JOB, caller.place, name.casefold(), document)
        return {"TrainingJobArn": arn}

    def describe_job(self, caller: Caller, request: Mapping[str, Any]) -> Document:
        record = self._store.get(Kind.TRAINING_JOB, caller.place, request["TrainingJobName"].casefold())
        if record is None:
            raise invalid("Requested resource not found.")
        return record.document
