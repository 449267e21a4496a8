# Made by `make docs` from the service's OpenAPI; a test holds them equal.

"""What the catalogue takes and answers. A member that may be left out is `NotRequired`."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

Autonomy = Literal["information", "recommendation", "automated_decision"]
Better = Literal["higher", "lower"]
Criticality = Literal["low", "medium", "high"]
DatasetRole = Literal["training", "validation", "test", "baseline", "other"]
ExportForm = Literal["csv", "jsonl"]
FoundKind = Literal["use_case", "model", "model_version", "deployment", "dataset"]
LineageForm = Literal["json", "openlineage", "svg"]
LinkKind = Literal["model", "model_version", "dataset", "deployment", "document", "use_case"]
MetricKind = Literal["measured", "declared"]
MetricsStatus = Literal["complete", "pending", "unreadable"]
ModelVersionStatus = Literal[
    "registered",
    "candidate",
    "under_review",
    "accepted",
    "suspended",
    "rejected",
    "retired",
    "withdrawn",
    "missing_from_source",
]
NodeKind = Literal["dataset", "training_job", "model_version", "deployment", "use_case"]
OperatorRole = Literal[
    "provider", "deployer", "importer", "distributor", "authorised_representative", "product_manufacturer"
]
Order = Literal["highest", "lowest"]
Outcome = Literal["created", "changed", "unchanged", "invalid"]
Period = Literal["once", "month", "quarter", "year"]
Reversibility = Literal["reversible", "hard_to_reverse", "irreversible"]
RiskClass = Literal["prohibited", "high", "limited", "minimal"]
Sort = Literal["-created_at", "created_at", "-modified_at", "modified_at", "name", "-name", "version", "-version"]
Stage = Literal["ideation", "development", "monitoring", "rejected", "archived"]


class Accountability(TypedDict):
    business_owner: NotRequired[str | None]
    data_steward: NotRequired[str | None]
    data_scientist: NotRequired[str | None]
    legal: NotRequired[str | None]
    security: NotRequired[str | None]
    risk: NotRequired[str | None]
    technical_owner: NotRequired[str | None]
    validator: NotRequired[str | None]
    overseers: NotRequired[list[str] | None]
    supplier_contact: NotRequired[str | None]
    incident_contact: NotRequired[str | None]
    next_review: NotRequired[str | None]


class ApprovalDrift(TypedDict):
    found: str
    wanted: NotRequired[str | None]
    by: NotRequired[str | None]
    at: str


class Artifact(TypedDict):
    uri: str
    digest: NotRequired[str | None]
    compression: NotRequired[str | None]


class AuditCheckpoint(TypedDict):
    service: str
    size: int
    head: str
    at: str
    signed: str


class AuditRecord(TypedDict):
    id: int
    at: str
    actor: str
    action: str
    subject: str
    details: dict[str, Any]
    correlation_id: str
    seq: int | None
    hash: str | None


class BusinessContext(TypedDict):
    purpose: NotRequired[str | None]
    expected_value: NotRequired[Money | float | str | None]
    problem: NotRequired[str | None]
    objectives: NotRequired[list[str] | None]
    business_unit: NotRequired[str | None]
    process: NotRequired[str | None]
    sponsor: NotRequired[str | None]
    vendor: NotRequired[str | None]
    criticality: NotRequired[Criticality | None]
    cost: NotRequired[Money | float | str | None]
    roi: NotRequired[Money | float | str | None]
    users: NotRequired[list[str] | None]
    countries: NotRequired[list[str] | None]
    frequency: NotRequired[str | None]
    go_live: NotRequired[str | None]
    alternative_without_ai: NotRequired[str | None]


class CandidacyOf(TypedDict):
    id: str
    use_case: str
    status: str
    changed_at: str


class CandidateModel(TypedDict):
    candidacy: str
    status: str
    model_version: str
    model_version_id: str | None
    name: str | None
    version: int | None
    type: str | None
    model_version_status: str | None
    changed_at: str


class Change(TypedDict):
    part: str
    before: NotRequired[Any]
    after: NotRequired[Any]


class Comparison(TypedDict):
    same_content: bool
    changes: list[Change]
    metrics: list[MetricDifference]


class CompletenessOut(TypedDict):
    complete: bool
    facets: dict[str, FacetGap]


class Count(TypedDict):
    value: int
    relation: Literal["exactly", "more_than"]
    counted_at: NotRequired[str | None]


class Counts(TypedDict):
    held: int
    announced: int | None


class DataFacet(TypedDict):
    description: NotRequired[str | None]
    datasets: NotRequired[list[str] | None]
    provenance: NotRequired[str | None]
    licence: NotRequired[str | None]
    geography: NotRequired[list[str] | None]
    retention: NotRequired[str | None]
    quality: NotRequired[str | None]
    representativeness: NotRequired[str | None]
    known_bias: NotRequired[str | None]


class DatasetOut(TypedDict):
    id: str
    urn: str
    model_versions: int
    use_cases: list[str]
    roles: list[str]


class DatasetUse(TypedDict):
    urn: str
    role: DatasetRole
    name: NotRequired[str | None]
    content_type: NotRequired[str | None]


class DeploymentOf(TypedDict):
    id: str
    urn: str
    kind: str
    name: str
    variant: str | None
    status: str | None


class DeploymentOut(TypedDict):
    id: str
    urn: str
    source: str
    kind: str
    name: str
    variant: str | None
    status: str | None
    model_version: str | None
    model_version_status: str | None
    created_at: str
    modified_at: str | None


class DeploymentWhole(TypedDict):
    id: str
    urn: str
    source: str
    kind: str
    name: str
    variant: str | None
    status: str | None
    model_version: str | None
    model_version_status: str | None
    created_at: str
    modified_at: str | None
    live: bool
    model_versions: NotRequired[list[str]]
    matched_by: NotRequired[str | None]
    weight: NotRequired[float | None]
    shadow: NotRequired[bool]
    endpoint: NotRequired[str | None]
    monitors: NotRequired[list[Monitor]]
    raw: Any


class EdgeOut(TypedDict):
    source: str
    target: str
    relation: str


class FacetGap(TypedDict):
    complete: bool
    missing: NotRequired[list[str]]
    whose_job: str
    person: str | None


class FacetState(TypedDict):
    complete: bool
    missing: NotRequired[list[str]]


class Facets(TypedDict):
    business_context: NotRequired[BusinessContext]
    legal: NotRequired[Legal]
    data: NotRequired[DataFacet]
    impact: NotRequired[Impact]
    accountability: NotRequired[Accountability]
    custom: NotRequired[dict[str, Any]]


class FieldError(TypedDict):
    pointer: str
    code: str
    detail: str


class Found(TypedDict):
    kind: FoundKind
    id: str
    urn: str
    name: str
    description: str | None
    status: str | None
    href: str


class FoundPage(TypedDict):
    items: list[Found]
    next_cursor: NotRequired[str | None]
    counts: dict[str, Count]
    did_you_mean: NotRequired[list[str]]


class Graph(TypedDict):
    root: str
    nodes: list[Node]
    edges: list[EdgeOut]
    truncated: NotRequired[bool]


class HistoryEntry(TypedDict):
    kind: str
    at: str
    sequence: int
    changes: NotRequired[list[Change]]
    candidacy: NotRequired[str | None]
    use_case: NotRequired[str | None]
    status: NotRequired[str | None]
    reason: NotRequired[str | None]
    by: NotRequired[str | None]


class Impact(TypedDict):
    affected_parties: NotRequired[list[str] | None]
    affected_groups: NotRequired[list[str] | None]
    human_oversight: NotRequired[str | None]
    autonomy: NotRequired[Autonomy | None]
    reversibility: NotRequired[Reversibility | None]
    severity: NotRequired[int | None]
    likelihood: NotRequired[int | None]
    harm: NotRequired[str | None]
    benefits: NotRequired[str | None]
    redress: NotRequired[str | None]
    residual_risk: NotRequired[str | None]


class ImportReport(TypedDict):
    dry_run: bool
    rows: list[RowReport]
    counts: dict[str, int]


class Legal(TypedDict):
    risk_class: NotRequired[RiskClass | None]
    risk_class_reason: NotRequired[str | None]
    legal_basis: NotRequired[str | None]
    personal_data: NotRequired[bool | None]
    special_categories: NotRequired[bool | None]
    automated_decision: NotRequired[bool | None]
    eu_ai_act_role: NotRequired[OperatorRole | None]
    article_5: NotRequired[list[str] | None]
    annex_i_product: NotRequired[bool | None]
    annex_iii: NotRequired[list[str] | None]
    article_6_3: NotRequired[list[str] | None]
    profiling: NotRequired[bool | None]
    article_50: NotRequired[list[str] | None]
    general_purpose_ai: NotRequired[bool | None]
    dpia: NotRequired[str | None]
    fria: NotRequired[str | None]
    registration: NotRequired[str | None]
    assessments: NotRequired[list[str] | None]
    nist_ai_rmf: NotRequired[list[str] | None]
    iso_42001: NotRequired[list[str] | None]
    other_laws: NotRequired[list[str] | None]
    licence: NotRequired[str | None]
    ethical_considerations: NotRequired[str | None]


class LifeCycle(TypedDict):
    stage: str
    status: str
    description: NotRequired[str | None]


class Link(TypedDict):
    kind: LinkKind
    ref: str
    title: NotRequired[str | None]
    digest: NotRequired[str | None]


class LinkIn(TypedDict):
    kind: LinkKind
    ref: str
    title: NotRequired[str | None]
    digest: NotRequired[str | None]


class Metric(TypedDict):
    value: float
    standard_deviation: NotRequired[float | None]
    dataset: NotRequired[str | None]
    slice: NotRequired[str | None]
    kind: NotRequired[MetricKind]
    source_name: NotRequired[str | None]
    report: NotRequired[str | None]
    better: NotRequired[Better | None]
    threshold: NotRequired[float | None]


class MetricDifference(TypedDict):
    name: str
    left: float | None
    right: float | None
    difference: float | None
    better: Literal["left", "right"] | None


class ModelCard(TypedDict):
    status: NotRequired[str | None]
    risk_rating: NotRequired[str | None]
    content: NotRequired[Any]
    unreadable: NotRequired[str | None]


class ModelOut(TypedDict):
    id: str
    urn: str
    source: str
    name: str
    live: bool
    description: str | None
    created_at: str
    created_by: str | None
    tags: dict[str, str]
    versions: int
    latest_versions: NotRequired[list[VersionSummary] | None]
    latest_metrics: NotRequired[dict[str, Metric] | None]


class Money(TypedDict):
    amount: float
    currency: str
    period: NotRequired[Period]


class Monitor(TypedDict):
    urn: str
    name: str
    type: NotRequired[str | None]
    status: NotRequired[str | None]
    last_execution_status: NotRequired[str | None]
    last_execution_at: NotRequired[str | None]
    failure_reason: NotRequired[str | None]
    alerts: NotRequired[list[MonitorAlert]]


class MonitorAlert(TypedDict):
    name: str
    status: str
    changed_at: NotRequired[str | None]


class MonitorOut(TypedDict):
    urn: str
    source: str
    name: str
    type: str | None
    status: str | None
    last_execution_status: str | None
    last_execution_at: str | None
    failure_reason: NotRequired[str | None]
    alerts: NotRequired[list[MonitorAlert]]
    deployments: list[str]


class MonitorState(TypedDict):
    deployment: str
    sequence: int
    at: str
    removed: bool
    changes: list[Change]


class Naming(TypedDict):
    kind: Literal["model_version", "use_case"]
    named_by: str
    sequence: int
    at: str
    by: str | None
    roles: list[str]
    before: list[str]


class Node(TypedDict):
    urn: str
    kind: NodeKind
    id: NotRequired[str | None]
    name: str
    status: NotRequired[str | None]
    live: NotRequired[bool]


class PageAuditRecord(TypedDict):
    items: list[AuditRecord]
    next_cursor: NotRequired[str | None]


class PageCandidateModel(TypedDict):
    items: list[CandidateModel]
    next_cursor: NotRequired[str | None]


class PageDatasetOut(TypedDict):
    items: list[DatasetOut]
    next_cursor: NotRequired[str | None]


class PageDeploymentOut(TypedDict):
    items: list[DeploymentOut]
    next_cursor: NotRequired[str | None]


class PageHistoryEntry(TypedDict):
    items: list[HistoryEntry]
    next_cursor: NotRequired[str | None]


class PageModelOut(TypedDict):
    items: list[ModelOut]
    next_cursor: NotRequired[str | None]


class PageMonitorOut(TypedDict):
    items: list[MonitorOut]
    next_cursor: NotRequired[str | None]


class PageMonitorState(TypedDict):
    items: list[MonitorState]
    next_cursor: NotRequired[str | None]


class PageNaming(TypedDict):
    items: list[Naming]
    next_cursor: NotRequired[str | None]


class PageRanked(TypedDict):
    items: list[Ranked]
    next_cursor: NotRequired[str | None]


class PageSimilar(TypedDict):
    items: list[Similar]
    next_cursor: NotRequired[str | None]


class PageSourceOut(TypedDict):
    items: list[SourceOut]
    next_cursor: NotRequired[str | None]


class PageState(TypedDict):
    items: list[State]
    next_cursor: NotRequired[str | None]


class PageTemplate(TypedDict):
    items: list[Template]
    next_cursor: NotRequired[str | None]


class PageUseCaseOut(TypedDict):
    items: list[UseCaseOut]
    next_cursor: NotRequired[str | None]


class PageUseCaseState(TypedDict):
    items: list[UseCaseState]
    next_cursor: NotRequired[str | None]


class PageVersionSummary(TypedDict):
    items: list[VersionSummary]
    next_cursor: NotRequired[str | None]


class Proposal(TypedDict):
    id: str
    to: Stage
    reason: NotRequired[str | None]
    proposed_by: str
    issuer: str
    proposed_at: str


class ProposalIn(TypedDict):
    stage: Stage
    reason: NotRequired[str | None]


class PublicKeys(TypedDict):
    keys: list[dict[str, str]]


class Ranked(TypedDict):
    value: float
    standard_deviation: float | None
    dataset: str | None
    slice: str | None
    kind: MetricKind
    source_name: str | None
    report: str | None
    better: Better | None
    unreadable_because: str | None
    version: VersionSummary


class Reason(TypedDict):
    rule: str
    because: str


class Report(TypedDict):
    role: str
    uri: str
    content_type: NotRequired[str | None]
    digest: NotRequired[str | None]
    recorded_digest: NotRequired[str | None]
    etag: NotRequired[str | None]
    version_id: NotRequired[str | None]
    written_at: NotRequired[str | None]
    status: MetricsStatus
    reason: NotRequired[str | None]


class RowReport(TypedDict):
    row: int
    key: str | None
    outcome: Outcome
    errors: NotRequired[list[FieldError]]


class Similar(TypedDict):
    key: str
    name: str


class SourceOut(TypedDict):
    name: str
    complete: bool
    kinds: dict[str, Counts]


class StageIn(TypedDict):
    stage: Stage


class State(TypedDict):
    sequence: int
    at: str
    removed: bool
    changes: list[Change]


class StepOutcome(TypedDict):
    step: str
    to: Stage
    status: str
    reason: NotRequired[str | None]
    review: NotRequired[str | None]
    policy: NotRequired[str | None]
    decided_by: str
    decided_at: str
    expires_at: NotRequired[str | None]
    sequence: NotRequired[int]


class Suggestion(TypedDict):
    risk_class: RiskClass | None
    reasons: list[Reason]
    unanswered: list[str]


class Template(TypedDict):
    name: str
    title: str
    description: str
    facets: Facets
    questions: dict[str, str]


class TrainingJob(TypedDict):
    urn: str
    name: str
    found_by: Literal["generated_by", "lineage", "artifact"]
    status: str
    image: NotRequired[str | None]
    algorithm: NotRequired[str | None]
    hyperparameters: NotRequired[dict[str, str]]
    final_metrics: NotRequired[dict[str, float]]
    output: NotRequired[str | None]
    instance_type: NotRequired[str | None]
    started_at: NotRequired[str | None]
    ended_at: NotRequired[str | None]


class UseCaseIn(TypedDict):
    name: str
    description: NotRequired[str | None]
    owner: NotRequired[str | None]
    facets: NotRequired[Facets]
    links: NotRequired[list[LinkIn]]
    key: str
    template: NotRequired[str | None]


class UseCaseOut(TypedDict):
    id: str
    key: str
    name: str
    description: str | None
    owner: str | None
    stage: Stage
    facets: dict[str, dict[str, Any]]
    links: list[Link]
    completeness: dict[str, FacetState]
    complete: bool
    suggested_risk: Suggestion
    proposal: Proposal | None
    outcome: StepOutcome | None
    created_at: str
    created_by: str
    modified_at: str
    modified_by: str


class UseCaseState(TypedDict):
    sequence: int
    at: str
    by: str
    changes: list[Change]
    state: dict[str, Any]


class VersionOut(TypedDict):
    id: str
    urn: str
    source: str
    model: str | None
    name: str
    version: int | None
    description: str | None
    type: str | None
    framework: str | None
    framework_version: NotRequired[str | None]
    algorithm: str | None
    metrics: dict[str, Metric]
    metrics_status: str
    metrics_reason: NotRequired[str | None]
    reports: NotRequired[list[Report]]
    source_status: str
    source_approval_status: str | None
    source_approval_description: NotRequired[str | None]
    registration_type: NotRequired[str | None]
    life_cycle: NotRequired[LifeCycle | None]
    artifacts: NotRequired[list[Artifact]]
    image: NotRequired[str | None]
    image_digest: NotRequired[str | None]
    source_uri: NotRequired[str | None]
    domain: NotRequired[str | None]
    task: NotRequired[str | None]
    training_job: NotRequired[str | None]
    training: NotRequired[TrainingJob | None]
    datasets: NotRequired[list[DatasetUse]]
    model_card: NotRequired[ModelCard | None]
    unread: NotRequired[dict[str, str]]
    approval_drift: NotRequired[ApprovalDrift | None]
    provenance: NotRequired[dict[str, str]]
    tags: NotRequired[dict[str, str]]
    properties: NotRequired[dict[str, str]]
    created_at: str
    created_by: NotRequired[str | None]
    modified_at: str | None
    modified_by: NotRequired[str | None]
    content_hash: str
    content: NotRequired[dict[str, Any]]
    status: ModelVersionStatus
    candidacies: list[CandidacyOf]
    deployments: list[DeploymentOf]
    raw: NotRequired[Any]


class VersionPage(TypedDict):
    items: list[VersionSummary]
    next_cursor: NotRequired[str | None]
    facets: NotRequired[dict[str, dict[str, int]] | None]
    total: NotRequired[Count | None]


class VersionSummary(TypedDict):
    id: str
    urn: str
    source: str
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
    candidacies: dict[str, str]
    content_hash: str
    created_at: str
    modified_at: str | None


class Written(TypedDict):
    name: str
    description: NotRequired[str | None]
    owner: NotRequired[str | None]
    facets: NotRequired[Facets]
    links: NotRequired[list[LinkIn]]


class ProblemDocument(TypedDict):
    type: str
    title: str
    status: int
    detail: str
    errors: NotRequired[list[FieldError] | None]
    correlation_id: str
