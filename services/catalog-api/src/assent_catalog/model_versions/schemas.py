"""Model versions on the wire."""

from datetime import datetime
from typing import Any
from uuid import UUID

from assent_common.content import Change
from assent_common.events.catalog import ModelVersionStatus
from assent_common.events.registry import (
    ApprovalDrift,
    Artifact,
    DatasetUse,
    LifeCycle,
    Metric,
    ModelCard,
    Report,
    TrainingJob,
)
from pydantic import BaseModel


class VersionSummary(BaseModel):
    """A model version in a list."""

    id: UUID
    urn: str
    source: str
    #: The urn of its model.
    model: str | None
    name: str
    version: int | None
    description: str | None
    type: str | None
    framework: str | None
    algorithm: str | None
    metrics: dict[str, Metric]
    metrics_status: str
    source_status: str
    source_approval_status: str | None
    life_cycle: LifeCycle | None
    tags: dict[str, str]
    status: ModelVersionStatus
    #: Use case → status of the candidacy.
    candidacies: dict[str, str]
    content_hash: str
    created_at: datetime
    modified_at: datetime | None


class CandidacyOf(BaseModel):
    """A use case that a version was put forward for."""

    id: UUID
    use_case: str
    status: str
    changed_at: datetime


class DeploymentOf(BaseModel):
    """Where a version serves now."""

    id: UUID
    urn: str
    kind: str
    name: str
    variant: str | None
    status: str | None


class VersionOut(BaseModel):
    """A model version, whole."""

    id: UUID
    urn: str
    source: str
    model: str | None
    name: str
    version: int | None
    description: str | None
    type: str | None
    framework: str | None
    framework_version: str | None = None
    algorithm: str | None
    metrics: dict[str, Metric]
    metrics_status: str
    #: Why the metrics are not complete.
    metrics_reason: str | None = None
    reports: list[Report] = []
    source_status: str
    source_approval_status: str | None
    source_approval_description: str | None = None
    registration_type: str | None = None
    life_cycle: LifeCycle | None = None
    artifacts: list[Artifact] = []
    image: str | None = None
    image_digest: str | None = None
    source_uri: str | None = None
    domain: str | None = None
    task: str | None = None
    training_job: str | None = None
    #: That job itself, where it could be read.
    training: TrainingJob | None = None
    #: The data of its training, validation and baselines.
    datasets: list[DatasetUse] = []
    model_card: ModelCard | None = None
    #: What could not be read of it besides its reports, by part, with the reason.
    unread: dict[str, str] = {}
    #: What SageMaker says of its approval against Assent's decisions.
    approval_drift: ApprovalDrift | None = None
    provenance: dict[str, str] = {}
    tags: dict[str, str] = {}
    properties: dict[str, str] = {}
    created_at: datetime
    created_by: str | None = None
    modified_at: datetime | None
    modified_by: str | None = None
    content_hash: str
    #: What the hash is of: the parts that are judged.
    content: dict[str, Any] = {}
    status: ModelVersionStatus
    candidacies: list[CandidacyOf]
    deployments: list[DeploymentOf]
    #: The source's own document; null where the record is of another moment than now.
    raw: Any = None


class HistoryEntry(BaseModel):
    """Something that was told of a version: by its registry, or by the workflow."""

    #: `observed`, `removed` or `candidacy`.
    kind: str
    at: datetime
    sequence: int
    #: What differs from the state before; of an observation.
    changes: list[Change] = []
    #: Of the candidacy that changed.
    candidacy: UUID | None = None
    use_case: str | None = None
    status: str | None = None
    reason: str | None = None
    by: str | None = None
