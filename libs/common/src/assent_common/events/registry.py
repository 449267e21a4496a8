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


class Better(StrEnum):
    """In which direction a metric gets better."""

    HIGHER = "higher"
    LOWER = "lower"


class Metric(Payload):
    """One number that a report gives for a model version."""

    value: float
    #: Absent where the report gives none, or "NaN" (Model Monitor, under 200 samples).
    standard_deviation: float | None = None
    #: `train`, `validation`, `test`, … where the report says.
    dataset: str | None = None
    #: Of what part of the data it was measured, where not of all: `age=25-40`.
    slice: str | None = None
    kind: MetricKind = MetricKind.MEASURED
    #: The name in the report, where it was another (`weighted_precision` for `precision`).
    source_name: str | None = None
    #: The report that holds the value (S3 URI).
    report: str | None = None
    #: By the constraints that the version names, else by what the name means; absent where neither tells.
    better: Better | None = None
    #: The limit that the constraints set; being worse than it is a violation.
    threshold: float | None = None


class Report(Payload):
    """A file that the version names as the home of its metrics, and how reading it went."""

    #: `model_quality`, `model_data_quality`, `bias`, `explainability`, …; `…_constraints` for thresholds, and
    #: `baseline_…` for what `DriftCheckBaselines` names.
    role: str
    uri: str
    content_type: str | None = None
    #: SHA-256 of what was read, `sha256:…`; absent where nothing was.
    digest: str | None = None
    #: The digest that the registry recorded for it (`ContentDigest`): another means that the file was changed since.
    recorded_digest: str | None = None
    #: Which object was read, as S3 said: its ETag, its version where the bucket keeps versions, when it was written.
    etag: str | None = None
    version_id: str | None = None
    written_at: UtcTime | None = None
    status: MetricsStatus
    #: Why it could not be read, in words.
    reason: str | None = None


class Artifact(Payload):
    """Where one container's model data lies."""

    uri: str
    #: The S3 ETag that SageMaker recorded, or the digest, where there is one.
    digest: str | None = None
    compression: str | None = None


class DatasetRole(StrEnum):
    """What data was used for."""

    TRAINING = "training"
    VALIDATION = "validation"
    TEST = "test"
    BASELINE = "baseline"
    OTHER = "other"


class DatasetUse(Payload):
    """Data that made or measured a model version."""

    #: An S3 URI, a feature group's ARN, or the address of another store.
    urn: str
    role: DatasetRole
    #: The training channel, or the name that the source has for it.
    name: str | None = None
    content_type: str | None = None


class TrainingJob(Payload):
    """The job that made a model version (`DescribeTrainingJob`)."""

    urn: str
    name: str
    #: How it was found: `generated_by` (`MetadataProperties.GeneratedBy`), `lineage`, `artifact` (where it lies).
    found_by: Literal["generated_by", "lineage", "artifact"]
    #: SageMaker's `TrainingJobStatus`.
    status: str
    image: str | None = None
    #: An algorithm of the marketplace or of one's own, where no image is named.
    algorithm: str | None = None
    hyperparameters: dict[str, str] = Field(default_factory=dict)
    #: `FinalMetricDataList`: what the job itself measured at its end.
    final_metrics: dict[str, float] = Field(default_factory=dict)
    #: The S3 URI of what it made.
    output: str | None = None
    instance_type: str | None = None
    started_at: UtcTime | None = None
    ended_at: UtcTime | None = None


class ModelCard(Payload):
    """The model card that a package carries."""

    #: SageMaker's `ModelCardStatus`: `Draft`, `PendingReview`, `Approved`, `Archived`.
    status: str | None = None
    #: `intended_uses.risk_rating`: `High`, `Medium`, `Low`, `Unknown`.
    risk_rating: str | None = None
    #: The card's JSON, parsed; null where it is none.
    content: Json = None
    #: Why the content is null though there is a card.
    unreadable: str | None = None


class ApprovalDrift(Payload):
    """SageMaker says of a version what Assent has not decided, and said so only after Assent knew the version."""

    #: SageMaker's `ModelApprovalStatus`.
    found: str
    #: What Assent's decisions ask for; absent where there are none.
    wanted: str | None = None
    #: The principal who last changed the package, where SageMaker tells.
    by: str | None = None
    at: UtcTime


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
    #: Which fields differ from the state told before this one; none where this is the first.
    changed_fields: list[str] = Field(default_factory=list)


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
    #: That job itself, where it could be read.
    training: TrainingJob | None = None
    #: The data of its training, validation and baselines, as far as job and lineage tell.
    datasets: list[DatasetUse] = Field(default_factory=list)
    model_card: ModelCard | None = None
    #: What could not be read of it besides its reports, by part, with the reason: not the same as not there.
    unread: dict[str, str] = Field(default_factory=dict)
    approval_drift: ApprovalDrift | None = None
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
    #: Which fields differ from the state told before this one; none where this is the first.
    changed_fields: list[str] = Field(default_factory=list)


class MonitorAlert(Payload):
    """`InAlert` or `OK`, as SageMaker says it."""

    name: str
    status: str
    changed_at: UtcTime | None = None


class Monitor(Payload):
    """A monitoring schedule over a deployment, and how it last went."""

    urn: str
    name: str
    #: SageMaker's `MonitoringType`: `DataQuality`, `ModelQuality`, `ModelBias`, `ModelExplainability`.
    type: str | None = None
    #: SageMaker's `MonitoringScheduleStatus`.
    status: str | None = None
    #: SageMaker's `MonitoringExecutionStatus`: `Completed`, `CompletedWithViolations`, `Failed`, …
    last_execution_status: str | None = None
    last_execution_at: UtcTime | None = None
    failure_reason: str | None = None
    alerts: list[MonitorAlert] = Field(default_factory=list)


class DeploymentObserved(Payload):
    """What serves a model version now."""

    urn: str
    source: str
    #: `endpoint`, `inference_component`, `batch_transform`.
    kind: str
    name: str
    variant: str | None = None
    #: The ARN of the endpoint that it belongs to, or its own.
    endpoint: str | None = None
    #: The urn of the model version that is served, where it could be told; the first of several.
    model_version: str | None = None
    #: All of them, where an inference pipeline or a pool serves several.
    model_versions: list[str] = Field(default_factory=list)
    #: How that was told: by `ModelPackageName`, or by where the artifact lies. Absent: what is served is not known.
    matched_by: Literal["model_package", "artifact"] | None = None
    #: The names of the SageMaker models that it serves.
    models: list[str] = Field(default_factory=list)
    status: str | None = None
    #: The share of the endpoint's traffic, 0 to 1; a shadow variant has none.
    weight: float | None = None
    shadow: bool = False
    monitors: list[Monitor] = Field(default_factory=list)
    created_at: UtcTime
    modified_at: UtcTime | None = None
    raw: Json = None
    #: Which fields differ from the state told before this one; none where this is the first.
    changed_fields: list[str] = Field(default_factory=list)


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
