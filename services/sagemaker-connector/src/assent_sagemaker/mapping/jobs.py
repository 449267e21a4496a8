"""The training job that made a model version: which one it is, and what it tells of the version's making and data."""

import re
from typing import Literal, NamedTuple

from assent_common.events.model import Json, UtcTime
from assent_common.events.registry import DatasetRole, DatasetUse, TrainingJob
from pydantic import Field

from assent_sagemaker import arns
from assent_sagemaker.mapping.documents import Document, ModelPackage, Unmappable, Whole

FoundBy = Literal["generated_by", "lineage", "artifact"]


class Reference(NamedTuple):
    """How a package names its training job."""

    arn: arns.Arn
    found_by: FoundBy

    @property
    def key(self) -> str:
        return arns.key(str(self.arn))

    @property
    def told(self) -> str:
        """The ARN where the registry names it; of a job that the artifact's address names, the name."""
        return self.arn.path if self.found_by == "artifact" else str(self.arn)


def reference(package: ModelPackage) -> Reference | None:
    """By `MetadataProperties.GeneratedBy`; else by where the artifact lies, as training jobs put it there."""
    generated_by = package.metadata_properties.generated_by if package.metadata_properties else None
    addresses = (container.address for container in package.containers if container.address)
    name = next((job for address in addresses if (job := _put_there_by(address))), None)
    try:
        if generated_by and ":training-job/" in generated_by:
            return Reference(arns.Arn.parse(generated_by), "generated_by")
        if name is not None:
            return Reference(arns.Arn.parse(package.model_package_arn).beside("training-job", name), "artifact")
    except arns.NotAnArn:
        pass
    return None


def _put_there_by(address: str) -> str | None:
    # Few lie so, and the pattern is dear.
    match = _JOB_OUTPUT.search(address) if "/output/" in address else None
    return match["job"] if match else None


class Lineage(NamedTuple):
    """What SageMaker's lineage says of a package whose job nothing else tells."""

    #: The ARN of the job to which it leads.
    job: str | None = None
    #: Why it could not be asked. With neither, it knows none, or was not asked yet.
    reason: str | None = None

    @property
    def reference(self) -> Reference | None:
        try:
            return Reference(arns.Arn.parse(self.job), "lineage") if self.job else None
        except arns.NotAnArn:
            return None


# A job's own name as SageMaker allows it: other folders have an `output`, too.
_JOB_OUTPUT = re.compile(r"/(?P<job>[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62})/output/(model\.tar\.gz|model/?)$")


class AlgorithmSpecification(Document):
    training_image: str | None = None
    algorithm_name: str | None = None


class S3Channel(Document):
    s3_uri: str = Field(alias="S3Uri")


class FileSystemChannel(Document):
    file_system_id: str
    directory_path: str = ""


class ChannelSource(Document):
    s3_data_source: S3Channel | None = Field(default=None, alias="S3DataSource")
    file_system_data_source: FileSystemChannel | None = None


class Channel(Document):
    channel_name: str
    data_source: ChannelSource
    content_type: str | None = None


class FinalMetric(Document):
    metric_name: str
    value: float | None = None


class Artifacts(Document):
    s3_model_artifacts: str | None = Field(default=None, alias="S3ModelArtifacts")


class Resources(Document):
    instance_type: str | None = None


class TrainingJobDocument(Whole):
    training_job_arn: str
    training_job_name: str
    training_job_status: str
    algorithm_specification: AlgorithmSpecification = AlgorithmSpecification()
    hyper_parameters: dict[str, str] = Field(default_factory=dict)
    final_metric_data_list: list[FinalMetric] = Field(default_factory=list)
    input_data_config: list[Channel] = Field(default_factory=list)
    model_artifacts: Artifacts = Artifacts()
    resource_config: Resources = Resources()
    training_start_time: UtcTime | None = None
    training_end_time: UtcTime | None = None

    @property
    def has_ended(self) -> bool:
        """Nothing of it changes any more."""
        return self.training_job_status in ("Completed", "Failed", "Stopped")


class Job(NamedTuple):
    """What is known of a training job: what it was like when it was last read, and why it could not be read again. With
    neither, it was not read yet."""

    document: TrainingJobDocument | None = None
    reason: str | None = None

    @classmethod
    def known(cls, document: Json, reason: str | None) -> "Job":
        if document is None:
            return cls(None, reason)
        try:
            return cls(TrainingJobDocument.from_document(document), reason)
        except Unmappable as error:
            return cls(None, str(error))


NOT_READ = Job()
NOT_ASKED = Lineage()


def training(job: TrainingJobDocument, found_by: FoundBy) -> TrainingJob:
    return TrainingJob(
        urn=job.training_job_arn,
        name=job.training_job_name,
        found_by=found_by,
        status=job.training_job_status,
        image=job.algorithm_specification.training_image,
        algorithm=job.algorithm_specification.algorithm_name,
        hyperparameters=job.hyper_parameters,
        final_metrics={m.metric_name: m.value for m in job.final_metric_data_list if m.value is not None},
        output=job.model_artifacts.s3_model_artifacts,
        instance_type=job.resource_config.instance_type,
        started_at=job.training_start_time,
        ended_at=job.training_end_time,
    )


def datasets(job: TrainingJobDocument) -> list[DatasetUse]:
    """Its channels. By their names alone can one tell what each was used for."""
    return [
        DatasetUse(
            urn=urn,
            role=_ROLES.get(channel.channel_name.casefold(), DatasetRole.OTHER),
            name=channel.channel_name,
            content_type=channel.content_type,
        )
        for channel in job.input_data_config
        if (urn := _address(channel.data_source)) is not None
    ]


_ROLES = {
    "train": DatasetRole.TRAINING,
    "training": DatasetRole.TRAINING,
    "validation": DatasetRole.VALIDATION,
    "valid": DatasetRole.VALIDATION,
    "val": DatasetRole.VALIDATION,
    "eval": DatasetRole.VALIDATION,
    "evaluation": DatasetRole.VALIDATION,
    "test": DatasetRole.TEST,
    "testing": DatasetRole.TEST,
}


def _address(source: ChannelSource) -> str | None:
    if source.s3_data_source is not None:
        return source.s3_data_source.s3_uri
    if (files := source.file_system_data_source) is not None:
        return f"file-system://{files.file_system_id}/{files.directory_path.lstrip('/')}"
    return None
