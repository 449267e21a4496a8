"""A use case: what the AI is for, in six facets. Plain values: nothing here reads or writes anything.

The sixth facet, `models`, is not written by anybody: it follows from the candidacies.
"""

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import Annotated, Any

from assent_common.events.catalog import FacetState, Stage
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Text = Annotated[str, Field(max_length=10_000)]
Line = Annotated[str, Field(max_length=500)]
Lines = Annotated[
    list[Line], Field(max_length=100), BeforeValidator(lambda value: [value] if isinstance(value, str) else value)
]
"""Several; a single text is one."""


class RiskClass(StrEnum):
    """Of Regulation (EU) 2024/1689: Article 5, Article 6, Article 50, and the rest."""

    PROHIBITED = "prohibited"
    HIGH = "high"
    LIMITED = "limited"
    MINIMAL = "minimal"


class OperatorRole(StrEnum):
    """Of the company, by Article 3 of Regulation (EU) 2024/1689."""

    PROVIDER = "provider"
    DEPLOYER = "deployer"
    IMPORTER = "importer"
    DISTRIBUTOR = "distributor"
    AUTHORISED_REPRESENTATIVE = "authorised_representative"
    PRODUCT_MANUFACTURER = "product_manufacturer"


class Autonomy(StrEnum):
    INFORMATION = "information"
    RECOMMENDATION = "recommendation"
    AUTOMATED_DECISION = "automated_decision"


class Reversibility(StrEnum):
    REVERSIBLE = "reversible"
    HARD_TO_REVERSE = "hard_to_reverse"
    IRREVERSIBLE = "irreversible"


class _Facet(BaseModel):
    model_config = ConfigDict(extra="forbid")


class BusinessContext(_Facet):
    """Why the company wants it."""

    purpose: Text | None = None
    expected_value: Text | float | None = None
    problem: Text | None = None
    business_unit: Line | None = None
    cost: Text | float | None = None
    roi: Text | float | None = None
    users: Lines | None = None
    countries: Lines | None = None
    go_live: date | None = None
    alternative_without_ai: Text | None = None


class Legal(_Facet):
    """What the law says of it."""

    risk_class: RiskClass | None = None
    #: E.g. GDPR Article 6(1) f, or a sector's law.
    legal_basis: Text | None = None
    personal_data: bool | None = None
    special_categories: bool | None = None
    eu_ai_act_role: OperatorRole | None = None
    #: Areas of Annex III, e.g. `5(b)`.
    annex_iii: Lines | None = None
    #: Practices of Article 5(1) that were looked at.
    article_5: Lines | None = None
    #: Transparency duties of Article 50.
    article_50: Lines | None = None
    automated_decision: bool | None = None
    #: Where the data-protection impact assessment is (GDPR Article 35).
    dpia: Line | None = None
    #: Where the fundamental-rights impact assessment is (Article 27).
    fria: Line | None = None
    assessments: Lines | None = None
    ethical_considerations: Text | None = None


class DataFacet(_Facet):
    """What it learns from and works on."""

    description: Text | None = None
    #: Urns.
    datasets: Lines | None = None
    provenance: Text | None = None
    retention: Line | None = None
    known_bias: Text | None = None
    quality: Text | None = None


class Impact(_Facet):
    """What its decisions do to people."""

    affected_parties: Lines | None = None
    human_oversight: Text | None = None
    autonomy: Autonomy | None = None
    reversibility: Reversibility | None = None
    harm: Text | None = None
    benefits: Text | None = None
    redress: Text | None = None


class Accountability(_Facet):
    """Who answers for it: a person each."""

    business_owner: Line | None = None
    data_steward: Line | None = None
    data_scientist: Line | None = None
    legal: Line | None = None
    security: Line | None = None
    risk: Line | None = None
    incident_contact: Line | None = None


class Facets(BaseModel):
    model_config = ConfigDict(extra="forbid")

    business_context: BusinessContext = BusinessContext()
    legal: Legal = Legal()
    data: DataFacet = DataFacet()
    impact: Impact = Impact()
    accountability: Accountability = Accountability()

    def document(self) -> dict[str, dict[str, Any]]:
        """What was said, facet by facet; what was not is left out."""
        return self.model_dump(mode="json", exclude_none=True)


REQUIRED: Mapping[str, tuple[str, ...]] = {
    "business_context": ("purpose", "expected_value"),
    "legal": ("risk_class", "legal_basis", "personal_data"),
    "data": ("description",),
    "impact": ("affected_parties", "human_oversight"),
    "accountability": ("business_owner", "data_steward", "data_scientist", "legal", "security"),
}

WHOSE_JOB: Mapping[str, str] = {
    "business_context": "business_owner",
    "legal": "legal",
    "data": "data_steward",
    "models": "data_scientist",
    "impact": "business_owner",
    "accountability": "business_owner",
}
"""Who is asked first when a facet lacks something."""

STAGES: Mapping[Stage, tuple[Stage, ...]] = {
    Stage.IDEATION: (Stage.DEVELOPMENT, Stage.REJECTED, Stage.ARCHIVED),
    Stage.DEVELOPMENT: (Stage.MONITORING, Stage.REJECTED, Stage.ARCHIVED),
    Stage.MONITORING: (Stage.REJECTED, Stage.ARCHIVED),
    Stage.REJECTED: (Stage.ARCHIVED,),
    Stage.ARCHIVED: (Stage.REJECTED,),
}
"""From → to."""


def completeness(facets: Mapping[str, Mapping[str, Any]], *, has_models: bool) -> dict[str, FacetState]:
    """Facet → whether it says what it has to, and what it lacks."""
    states = {}
    for facet, required in REQUIRED.items():
        said = facets.get(facet, {})
        missing = [field for field in required if _is_empty(said.get(field))]
        if facet == "data" and not _is_empty(said.get("datasets")):
            missing = []
        states[facet] = FacetState(complete=not missing, missing=missing)
    states["models"] = FacetState(complete=has_models, missing=[] if has_models else ["candidacy"])
    return states


def merged(document: Any, patch: Any) -> Any:
    """JSON Merge Patch (RFC 7396): what the patch says replaces, null removes, the rest stays."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(document) if isinstance(document, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def _is_empty(value: Any) -> bool:
    return value is None or value == [] or (isinstance(value, str) and not value.strip())
