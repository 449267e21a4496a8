"""Use cases on the wire."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from assent_common.content import Change
from assent_common.events.catalog import FacetState, Link, LinkKind, Proposal, Stage, StepOutcome
from pydantic import BaseModel, ConfigDict, Field

from assent_catalog.use_cases import risk
from assent_catalog.use_cases.facets import Facets
from assent_catalog.use_cases.store import UseCase

Key = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,98}[a-z0-9])?$")]
Name = Annotated[str, Field(min_length=1, max_length=200)]

EXAMPLE: dict[str, Any] = {
    "name": "Customer retention calls",
    "owner": "bea@example.com",
    "facets": {
        "business_context": {
            "purpose": "Call those first who are about to leave",
            "expected_value": {"amount": 1200000, "currency": "EUR", "period": "year"},
        },
        "legal": {"personal_data": True, "annex_iii": [], "article_5": []},
    },
    "links": [{"kind": "document", "ref": "https://wiki.example.com/retention", "title": "Business case"}],
}


class LinkIn(BaseModel):
    """Something that belongs to a use case, besides what follows from candidacies."""

    model_config = ConfigDict(extra="forbid")

    kind: LinkKind
    ref: Annotated[
        str, Field(min_length=1, max_length=2048, description="An urn, a use case's key, a document's address")
    ]
    title: Annotated[str | None, Field(max_length=500)] = None
    digest: Annotated[str | None, Field(max_length=200, description="Of a document: `sha256:…`")] = None


class Written(BaseModel):
    """What people write of a use case. Everything but the name may come later, from whoever knows it."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": EXAMPLE})

    name: Name
    description: Annotated[str | None, Field(max_length=10_000)] = None
    owner: Annotated[str | None, Field(max_length=200)] = None
    facets: Facets = Facets()
    links: Annotated[list[LinkIn], Field(max_length=200)] = []


class UseCaseIn(Written):
    """A key and a name are enough to begin."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"key": "customer-retention", "template": "churn", **EXAMPLE}}
    )

    key: Key
    template: Annotated[str | None, Field(max_length=100, description="One of `/v1/use-case-templates`")] = None


class StageIn(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"stage": "development"}})

    stage: Stage


class ProposalIn(BaseModel):
    """Where a use case is to go, and why. Its own stage is to have it looked at again there."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"stage": "development", "reason": "The pilot paid off"}}
    )

    stage: Stage
    reason: Annotated[str | None, Field(max_length=4000)] = None


class UseCaseOut(BaseModel):
    """What the AI is for."""

    id: UUID
    key: str
    name: str
    description: str | None
    owner: str | None
    stage: Stage
    facets: dict[str, dict[str, Any]]
    links: list[Link]
    completeness: dict[str, FacetState]
    complete: bool
    #: What the answers of the facet `legal` come to by the rules.
    suggested_risk: risk.Suggestion
    #: The step that waits for a decision, in the workflow.
    proposal: Proposal | None
    #: What the workflow last said of a step.
    outcome: StepOutcome | None
    created_at: datetime
    created_by: str
    modified_at: datetime
    modified_by: str

    @classmethod
    def of(cls, use_case: UseCase) -> "UseCaseOut":
        suggested = risk.suggest(use_case.facets.get("legal", {}))
        named = {name: getattr(use_case, name) for name in cls.model_fields if name != "suggested_risk"}
        return cls.model_validate({**named, "suggested_risk": suggested})


class Similar(BaseModel):
    """Another use case that may be the same."""

    key: str
    name: str


class FacetGap(FacetState):
    #: The role that is asked first.
    whose_job: str
    #: Who that is for this use case, where it says so.
    person: str | None


class CompletenessOut(BaseModel):
    """What is missing before this can be approved, and whose job it is."""

    complete: bool
    facets: dict[str, FacetGap]


class CandidateModel(BaseModel):
    """A model version that stands, or stood, for the use case."""

    candidacy: UUID
    status: str
    model_version: str
    #: Null while the catalogue has not heard of the version itself.
    model_version_id: UUID | None
    name: str | None
    version: int | None
    type: str | None
    model_version_status: str | None
    changed_at: datetime


class UseCaseState(BaseModel):
    """One state of a use case, and how it differs from the one before."""

    sequence: int
    at: datetime
    by: str
    changes: list[Change]
    state: dict[str, Any]
