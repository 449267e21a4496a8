"""`assent.catalog.v1`: the catalogue's records as they stand. Keyed by urn or id."""

from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import Field

from assent_common.events.model import Payload, UtcTime


class Stage(StrEnum):
    """Where a use case stands in its life."""

    IDEATION = "ideation"
    DEVELOPMENT = "development"
    MONITORING = "monitoring"
    REJECTED = "rejected"
    ARCHIVED = "archived"


class FacetState(Payload):
    """Whether a facet says what it has to."""

    complete: bool
    #: The names of the required fields that are empty.
    missing: list[str] = Field(default_factory=list)


class LinkKind(StrEnum):
    """What a use case is connected with, besides what follows from candidacies."""

    MODEL = "model"
    MODEL_VERSION = "model_version"
    DATASET = "dataset"
    DEPLOYMENT = "deployment"
    DOCUMENT = "document"
    USE_CASE = "use_case"


class Link(Payload):
    """Something that belongs to a use case."""

    kind: LinkKind
    #: An urn, the key of a use case, or the address of a document.
    ref: str
    title: str | None = None
    #: Of a document, so that another one under its address is noticed: `sha256:…`.
    digest: str | None = None


class Proposal(Payload):
    """That a use case go to another stage, or be looked at again where it stands; waiting for what is decided of it."""

    id: UUID
    to: Stage
    reason: str | None = None
    proposed_by: str
    #: Whose token said so.
    issuer: str
    proposed_at: UtcTime


class StepOutcome(Payload):
    """What was last decided of a step of a use case, in the workflow."""

    #: Of the proposal.
    step: UUID
    to: Stage
    #: `accepted`, `rejected`, `changes_requested`, `suspended`, `not_asked`.
    status: str
    reason: str | None = None
    review: UUID | None = None
    policy: str | None = None
    decided_by: str
    decided_at: UtcTime
    #: Until when an acceptance holds: it is looked at again by then.
    expires_at: UtcTime | None = None
    #: Of the workflow's event that said so: what is older says nothing new.
    sequence: int = 0


class UseCaseChanged(Payload):
    """A use case, whole."""

    id: UUID
    key: str
    name: str
    description: str | None = None
    owner: str | None = None
    stage: Stage
    #: `business_context`, `legal`, `data`, `impact`, `accountability`, each with its fields; `custom`, a company's own.
    facets: dict[str, dict[str, Any]] = Field(default_factory=dict)
    #: The five above and `models`, which follows from the candidacies.
    completeness: dict[str, FacetState] = Field(default_factory=dict)
    links: list[Link] = Field(default_factory=list)
    created_at: UtcTime
    created_by: str
    modified_at: UtcTime
    modified_by: str
    #: What waits for a decision.
    proposal: Proposal | None = None
    #: What was decided last.
    outcome: StepOutcome | None = None


class ModelVersionStatus(StrEnum):
    """The strongest of a version's candidacies, in words that Collibra's users know."""

    REGISTERED = "registered"
    CANDIDATE = "candidate"
    UNDER_REVIEW = "under_review"
    ACCEPTED = "accepted"
    SUSPENDED = "suspended"
    REJECTED = "rejected"
    RETIRED = "retired"
    WITHDRAWN = "withdrawn"
    MISSING_FROM_SOURCE = "missing_from_source"


class ModelVersionChanged(Payload):
    """A model version as the catalogue answers for it, without the source's raw document."""

    id: UUID
    urn: str
    source: str
    model: str | None = None
    name: str
    version: int | None = None
    status: ModelVersionStatus
    #: Use case key → status of the candidacy.
    candidacies: dict[str, str] = Field(default_factory=dict)
    description: str | None = None
    type: str | None = None
    framework: str | None = None
    algorithm: str | None = None
    #: Name → value.
    metrics: dict[str, float] = Field(default_factory=dict)
    metrics_status: str
    source_status: str
    source_approval_status: str | None = None
    content_hash: str
    created_at: UtcTime
    modified_at: UtcTime | None = None


TYPES: dict[str, type[Payload]] = {
    "assent.catalog.use_case.changed.v1": UseCaseChanged,
    "assent.catalog.model_version.changed.v1": ModelVersionChanged,
}
