"""The fields of a use case's facets, each with where it comes from. Nothing is required: what is missing is shown.

Articles and annexes are those of Regulation (EU) 2024/1689 (the AI Act) unless another law is named. Codes are written
as the law numbers them: `5(b)` for Annex III, `f` for Article 5(1)(f).
"""

from datetime import date
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Text = Annotated[str, Field(max_length=10_000)]
Line = Annotated[str, Field(max_length=500)]
Lines = Annotated[
    list[Line], Field(max_length=100), BeforeValidator(lambda value: [value] if isinstance(value, str) else value)
]
"""Several; a single text is one."""
Score = Annotated[int, Field(ge=1, le=5)]


class RiskClass(StrEnum):
    """Article 5, Article 6, Article 50, and the rest."""

    PROHIBITED = "prohibited"
    HIGH = "high"
    LIMITED = "limited"
    MINIMAL = "minimal"


class OperatorRole(StrEnum):
    """Of the company, by Article 3."""

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


class Criticality(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Period(StrEnum):
    ONCE = "once"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


class Money(BaseModel):
    """An amount, its currency (ISO 4217), and for how long."""

    model_config = ConfigDict(extra="forbid")

    amount: Annotated[float, Field(allow_inf_nan=False)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    period: Period = Period.YEAR


Value = Money | float | Text
"""An amount of money; or a number or words, where nobody can say it in money."""


class _Facet(BaseModel):
    model_config = ConfigDict(extra="forbid")


class BusinessContext(_Facet):
    """Why the company wants it."""

    purpose: Annotated[Text | None, Field(description="What it is for, in a sentence (Annex VIII A)")] = None
    expected_value: Annotated[Value | None, Field(description="What it brings: money with currency and period")] = None
    problem: Annotated[Text | None, Field(description="What is wrong today")] = None
    objectives: Annotated[Lines | None, Field(description="By which figures its success is told")] = None
    business_unit: Line | None = None
    process: Annotated[Text | None, Field(description="The process that it is used in (Article 27(1)(a))")] = None
    sponsor: Line | None = None
    vendor: Annotated[Line | None, Field(description="Who supplies it, where it is bought")] = None
    criticality: Criticality | None = None
    cost: Value | None = None
    roi: Value | None = None
    users: Annotated[Lines | None, Field(description="Who works with it")] = None
    countries: Annotated[Lines | None, Field(description="Where it is used (Annex VIII)")] = None
    frequency: Annotated[Line | None, Field(description="How long and how often (Article 27(1)(b))")] = None
    go_live: date | None = None
    alternative_without_ai: Annotated[Text | None, Field(description="NIST AI RMF, MAP 3.1")] = None


class Legal(_Facet):
    """What the law says of it."""

    risk_class: RiskClass | None = None
    risk_class_reason: Annotated[Text | None, Field(description="Why it is not the class that the rules suggest")] = (
        None
    )
    legal_basis: Annotated[Text | None, Field(description="GDPR Article 6(1), or a sector's law")] = None
    personal_data: bool | None = None
    special_categories: Annotated[bool | None, Field(description="GDPR Article 9")] = None
    automated_decision: Annotated[bool | None, Field(description="GDPR Article 22")] = None
    eu_ai_act_role: OperatorRole | None = None
    article_5: Annotated[Lines | None, Field(description="Practices of Article 5(1) that apply; empty: none")] = None
    annex_i_product: Annotated[
        bool | None, Field(description="Is, or keeps safe, a product under Annex I (Article 6(1))")
    ] = None
    annex_iii: Annotated[Lines | None, Field(description="Areas of Annex III, e.g. `5(b)`; empty: none")] = None
    article_6_3: Annotated[
        Lines | None, Field(description="Conditions (a) to (d) of Article 6(3) by which it is not high risk")
    ] = None
    profiling: Annotated[bool | None, Field(description="Profiles persons: Article 6(3) does not apply then")] = None
    article_50: Annotated[Lines | None, Field(description="Duties of Article 50, `1` to `4`; empty: none")] = None
    general_purpose_ai: Annotated[bool | None, Field(description="Articles 51 to 55")] = None
    dpia: Annotated[Line | None, Field(description="Where the data-protection assessment is (GDPR Article 35)")] = None
    fria: Annotated[Line | None, Field(description="Where the fundamental-rights assessment is (Article 27)")] = None
    registration: Annotated[Line | None, Field(description="Its number in the EU database (Article 49)")] = None
    assessments: Annotated[Lines | None, Field(description="Other assessments and certificates")] = None
    nist_ai_rmf: Annotated[Lines | None, Field(description="Subcategories looked at, e.g. `MAP 3.1`")] = None
    iso_42001: Annotated[Lines | None, Field(description="Controls of Annex A looked at, e.g. `A.5.2`")] = None
    other_laws: Lines | None = None
    licence: Annotated[Text | None, Field(description="Copyright and licences of data and model")] = None
    ethical_considerations: Text | None = None


class DataFacet(_Facet):
    """What it learns from and works on."""

    description: Text | None = None
    datasets: Annotated[Lines | None, Field(description="Urns")] = None
    provenance: Annotated[Text | None, Field(description="ISO/IEC 42001 A.7.5")] = None
    licence: Text | None = None
    geography: Lines | None = None
    retention: Line | None = None
    quality: Annotated[Text | None, Field(description="ISO/IEC 42001 A.7.4")] = None
    representativeness: Annotated[Text | None, Field(description="Article 10(3)")] = None
    known_bias: Annotated[Text | None, Field(description="Article 10(2)(f)")] = None


class Impact(_Facet):
    """What its decisions do to people."""

    affected_parties: Lines | None = None
    affected_groups: Annotated[Lines | None, Field(description="Those who need protection among them")] = None
    human_oversight: Annotated[Text | None, Field(description="Article 14: who, how, and how it is stopped")] = None
    autonomy: Autonomy | None = None
    reversibility: Reversibility | None = None
    severity: Annotated[Score | None, Field(description="Of the worst that may happen, 1 to 5 (NIST MAP 5.1)")] = None
    likelihood: Annotated[Score | None, Field(description="Of that, 1 to 5")] = None
    harm: Annotated[Text | None, Field(description="What it may do to them (Article 27(1)(d))")] = None
    benefits: Text | None = None
    redress: Annotated[Text | None, Field(description="How a decision is contested (Article 27(1)(f))")] = None
    residual_risk: Annotated[Text | None, Field(description="What is left, and why it is accepted")] = None


class Accountability(_Facet):
    """Who answers for it: a person each."""

    business_owner: Line | None = None
    data_steward: Line | None = None
    data_scientist: Line | None = None
    legal: Line | None = None
    security: Line | None = None
    risk: Line | None = None
    technical_owner: Line | None = None
    validator: Annotated[Line | None, Field(description="Who looks at it independently (SR 26-2)")] = None
    overseers: Annotated[Lines | None, Field(description="Article 26(2)")] = None
    supplier_contact: Line | None = None
    incident_contact: Line | None = None
    next_review: date | None = None


class Facets(BaseModel):
    model_config = ConfigDict(extra="forbid")

    business_context: BusinessContext = BusinessContext()
    legal: Legal = Legal()
    data: DataFacet = DataFacet()
    impact: Impact = Impact()
    accountability: Accountability = Accountability()
    #: The company's own fields, as its schema (`ASSENT_USE_CASE_SCHEMA`) has them.
    custom: dict[str, Any] = Field(default_factory=dict)

    def document(self) -> dict[str, dict[str, Any]]:
        """What was said, facet by facet; what was not is left out."""
        said: dict[str, dict[str, Any]] = self.model_dump(mode="json", exclude_none=True)
        return said if said["custom"] else {name: facet for name, facet in said.items() if name != "custom"}


def is_empty(value: Any) -> bool:
    """Nothing was said. An empty list is an answer to some questions (`annex_iii`: none), but fills no field."""
    return value is None or value == [] or (isinstance(value, str) and not value.strip())
