"""`assent.registry.v1`: what a source's model registry was seen to hold. Keyed by urn (`sync`: by source name)."""

from enum import StrEnum
from typing import Literal

from pydantic import Field

from assent_common.events.model import Json, Payload, UtcTime


class Kind(StrEnum):
    """What a registry holds that Assent keeps."""

    MODEL = "model"
    MODEL_VERSION = "model_version"
    DEPLOYMENT = "deployment"


class MetricsStatus(StrEnum):
    #: Every report that the version names was read.
    COMPLETE = "complete"
    #: A report has not been read yet.
    PENDING = "pending"
    #: A report could not be read; the values last read stand.
    UNREADABLE = "unreadable"


class MetricKind(StrEnum):
    #: Measured: from a report that the version names.
    MEASURED = "measured"
    #: Declared: typed into the registry by somebody.
    DECLARED = "declared"


class Metric(Payload):
    """One number that a report gives for a model version."""

    value: float
    #: Absent where the report gives none, or "NaN" (Model Monitor, under 200 samples).
    standard_deviation: float | None = None
    #: `train`, `validation`, `test`, … where the report says.
    dataset: str | None = None
    kind: MetricKind = MetricKind.MEASURED
    #: The name in the report, where it was another (`weighted_precision` for `precision`).
    source_name: str | None = None
    #: The report that holds the value (S3 URI).
    report: str | None = None


class Report(Payload):
    """A file that the version names as the home of its metrics, and how reading it went."""

    #: `model_quality`, `model_data_quality`, `bias`, `explainability`.
    role: str
    uri: str
    content_type: str | None = None
    #: SHA-256 of what was read, `sha256:…`; absent where nothing was.
    digest: str | None = None
    #: The digest that the registry recorded for it (`ContentDigest`): another means that the file was changed since.
    recorded_digest: str | None = None
    status: MetricsStatus
    #: Why it could not be read, in words.
    reason: str | None = None


class Artifact(Payload):
    """Where one container's model data lies."""

    uri: str
    #: The S3 ETag that SageMaker recorded, or the digest, where there is one.
    digest: str | None = None
    compression: str | None = None


class LifeCycle(Payload):
    """SageMaker's `ModelLifeCycle`: free text, no enumeration."""

    stage: str
    status: str
    description: str | None = None


class ModelObserved(Payload):
    """A line of versions: SageMaker's model package group."""

    urn: str
    source: str
    name: str
    description: str | None = None
    source_status: str | None = None
    tags: dict[str, str] = Field(default_factory=dict)
    created_at: UtcTime
    created_by: str | None = None
    #: The source's document, as it came.
    raw: Json = None


class ModelVersionObserved(Payload):
    """One model package, whole."""

    urn: str
    source: str
    #: The urn of the model that it is a version of; absent for an unversioned package.
    model: str | None = None
    #: The model's name; the package's own for an unversioned package.
    name: str
    version: int | None = None
    description: str | None = None
    #: What it does: `binary_classification`, `regression`, …, by rules over task, domain, metrics and tags.
    type: str | None = None
    framework: str | None = None
    framework_version: str | None = None
    algorithm: str | None = None
    metrics: dict[str, Metric] = Field(default_factory=dict)
    metrics_status: MetricsStatus = MetricsStatus.COMPLETE
    #: Why `metrics_status` is not complete, in words.
    metrics_reason: str | None = None
    reports: list[Report] = Field(default_factory=list)
    #: SageMaker's `ModelPackageStatus`.
    source_status: str
    #: SageMaker's `ModelApprovalStatus`.
    source_approval_status: str | None = None
    source_approval_description: str | None = None
    #: SageMaker's `ModelPackageRegistrationType`: `Logged` or `Registered`.
    registration_type: str | None = None
    life_cycle: LifeCycle | None = None
    artifacts: list[Artifact] = Field(default_factory=list)
    image: str | None = None
    image_digest: str | None = None
    #: Where the model comes from in its own words: an MLflow run, a model hub (`SourceUri`).
    source_uri: str | None = None
    #: SageMaker's `Domain` and `Task`, as typed; `type` is what Assent makes of them.
    domain: str | None = None
    task: str | None = None
    #: The ARN or name of the training job, where the registry tells.
    training_job: str | None = None
    #: What made it: pipeline execution, commit, repository, project (`MetadataProperties`).
    provenance: dict[str, str] = Field(default_factory=dict)
    #: The tags of its model: a versioned package takes none of its own.
    tags: dict[str, str] = Field(default_factory=dict)
    #: `CustomerMetadataProperties`.
    properties: dict[str, str] = Field(default_factory=dict)
    created_at: UtcTime
    created_by: str | None = None
    modified_at: UtcTime | None = None
    modified_by: str | None = None
    #: What an acceptance is bound to: `sha256:` over `content`.
    content_hash: str
    #: The parts that are judged, by name, each with its own digest or value: two contents are compared part by part.
    content: dict[str, Json] = Field(default_factory=dict)
    #: The source's document, as it came.
    raw: Json = None


class DeploymentObserved(Payload):
    """What serves a model version now."""

    urn: str
    source: str
    #: `endpoint`, `inference_component`, `batch_transform`.
    kind: str
    name: str
    variant: str | None = None
    #: The urn of the model version that is served, where it could be told.
    model_version: str | None = None
    status: str | None = None
    created_at: UtcTime
    modified_at: UtcTime | None = None
    raw: Json = None


class Removed(Payload):
    """The source no longer has it: two complete listings in a row lacked it."""

    urn: str
    source: str
    kind: Kind
    removed_at: UtcTime


class Census(Payload):
    """How many live objects of a kind a source has, and the sum of their sequences.

    A consumer whose own count or sum is smaller lacks something, and asks for a replay.
    """

    live: int
    sequences: int


class SyncCompleted(Payload):
    """A source was read to its end."""

    source: str
    run: str
    mode: Literal["full", "incremental"]
    started_at: UtcTime
    finished_at: UtcTime
    changed: int
    removed: int
    census: dict[Kind, Census]


TYPES: dict[str, type[Payload]] = {
    "assent.registry.model.observed.v1": ModelObserved,
    "assent.registry.model.removed.v1": Removed,
    "assent.registry.model_version.observed.v1": ModelVersionObserved,
    "assent.registry.model_version.removed.v1": Removed,
    "assent.registry.deployment.observed.v1": DeploymentObserved,
    "assent.registry.deployment.removed.v1": Removed,
    "assent.registry.sync.completed.v1": SyncCompleted,
}
