# Made by `make docs` from the service's OpenAPI; a test holds them equal.

"""What the workflow takes and answers. A member that may be left out is `NotRequired`."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

About = Literal["model_version", "use_case"]
CandidacyStatus = Literal["candidate", "under_review", "accepted", "suspended", "rejected", "retired", "withdrawn"]
Channel = Literal["mail", "slack"]
ContactKind = Literal["person", "role", "group"]
FindingStatus = Literal["open", "risk_accepted", "resolved"]
Gathers = Literal["hourly", "daily"]
ReviewStatus = Literal["open", "accepted", "rejected", "changes_requested", "cancelled", "overridden"]
Role = Literal["data_scientist", "data_steward", "legal", "risk", "security", "business_owner"]
Severity = Literal["critical", "high", "medium", "low"]
Stage = Literal["ideation", "development", "monitoring", "rejected", "archived"]
Status = Literal["held", "waiting", "delivered", "failed", "told", "moot"]
StepStatus = Literal[
    "under_review", "accepted", "rejected", "changes_requested", "suspended", "retired", "withdrawn", "not_asked"
]
TaskStatus = Literal["open", "approved", "rejected", "changes_requested", "cancelled"]
Trigger = Literal[
    "put_forward",
    "submit",
    "all_approved",
    "override",
    "task_rejected",
    "changes_requested",
    "content_changed",
    "expired",
    "suspend",
    "retire",
    "withdraw",
    "missing_from_source",
    "use_case_given_up",
    "not_asked",
    "superseded",
]
Verdict = Literal["approve", "reject", "request_changes"]
Would = Literal["accepted", "rejected", "changes_requested", "blocked", "waiting", "not_applicable", "unknown"]
FindingsRulesKind = Literal[
    "unaccepted_deployment",
    "unidentified_deployment",
    "missing_version_serves",
    "retired_use_case_serves",
    "monitor_violation",
    "content_changed",
    "acceptance_expired",
    "overridden",
    "decided_at_source",
    "use_case_not_accepted",
    "use_case_review_overdue",
    "webhook_disabled",
]
PoliciesDiffKind = Literal["check", "stage", "approval", "rule"]


class Addressed(TypedDict):
    url: str


class Asked(TypedDict):
    id: str
    asked_at: str
    asked_by: str
    model_version: str | None
    artifact_digest: str | None
    image: str | None
    use_case: str | None
    environment: str | None
    allow: bool
    reasons: list[str]
    decided_by: str | None
    candidacy: str | None


class Assignment(TypedDict):
    assignee: str


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


class CandidacyOut(TypedDict):
    id: str
    use_case: str
    use_case_id: str
    model_version: str
    model_version_id: str
    status: CandidacyStatus
    reason: str | None
    blocked_by: list[str]
    allowed: list[Trigger]
    content_hash: str | None
    review: str | None
    policy: str | None
    put_forward_by: str
    created_at: str
    changed_by: str
    changed_at: str
    expires_at: str | None
    environments: list[str] | None


class Change(TypedDict):
    part: str
    before: NotRequired[Any]
    after: NotRequired[Any]


class ChangesOut(TypedDict):
    since_accepted: ComparisonOut | None
    since_last_round: ComparisonOut | None


class CheckResult(TypedDict):
    name: str
    passed: bool
    reason: str
    expression: NotRequired[str | None]
    seen: NotRequired[list[Seen]]
    since: NotRequired[str | None]
    pending: NotRequired[bool]


class CommentIn(TypedDict):
    body: str
    task: NotRequired[str | None]


class CommentOut(TypedDict):
    id: str
    review: str
    task: str | None
    author: str
    body: str
    verdict: Verdict | None
    added_at: str


class ComparisonOut(TypedDict):
    review: str
    model_version: str | None
    status: ReviewStatus
    content_hash: str
    requested_at: str
    ended_at: str | None
    parts: list[str]
    changes: list[Change]
    more: int
    metrics: list[MetricDifference]


class ContactIn(TypedDict):
    kind: ContactKind
    name: str
    emails: list[str]


class ContactOut(TypedDict):
    id: str
    kind: ContactKind
    name: str
    emails: list[str]
    gathers: Gathers | None
    muted: bool
    told_by: str
    told_at: str


class ContentDifference(TypedDict):
    review: str
    model_version: str | None
    content_hash: str
    parts: NotRequired[list[str]]
    fields: NotRequired[int]
    metrics: NotRequired[list[MetricDifference]]


class Decision(TypedDict):
    verdict: Verdict
    comment: NotRequired[str | None]
    evidence: NotRequired[list[EvidenceIn]]


class DelegationIn(TypedDict):
    role: Role
    substitute: str
    begins_at: NotRequired[str | None]
    ends_at: str
    reason: str


class DelegationOut(TypedDict):
    id: str
    role: str
    delegator: str
    substitute: str
    begins_at: str
    ends_at: str
    reason: str
    revoked_at: str | None


class DeliveryOut(TypedDict):
    id: str
    type: str
    status: str
    attempts: int
    next_try_at: str
    last_status: int | None
    last_error: str | None
    created_at: str
    delivered_at: str | None


class EvidenceIn(TypedDict):
    name: str
    uri: str
    sha256: str
    media_type: str
    note: NotRequired[str | None]


class EvidenceOut(TypedDict):
    id: str
    review: str
    task: str | None
    name: str
    uri: str
    sha256: str
    media_type: str
    note: str | None
    attached_by: str
    attached_at: str


class Facts(TypedDict):
    as_of: str
    tasks: list[Work]
    reviews: Reviews
    candidacies: dict[str, int]
    findings: list[Standing]
    serving: Serving


class FindingOut(TypedDict):
    id: str
    kind: FindingsRulesKind
    subject_kind: str
    subject: str
    detail: str
    severity: Severity
    status: FindingStatus
    summary: str
    evidence: dict[str, Any]
    owner: str | None
    model_version: str | None
    due_at: str
    found_at: str
    times_found: int
    reason: str | None
    changed_by: str
    changed_at: str
    accepted_until: str | None
    resolved_at: str | None


class GateVerdict(TypedDict):
    allow: bool
    reasons: list[str]
    what_to_do: NotRequired[list[str]]
    candidacy: str | None
    model_version: NotRequired[str | None]
    environment: NotRequired[str | None]
    question: str
    signed: NotRequired[str | None]


class IdentityIn(TypedDict):
    name: str
    subject: NotRequired[str | None]
    roles: NotRequired[list[Role]]
    groups: NotRequired[list[str]]


class IdentityOut(TypedDict):
    id: str
    name: str
    subject: str | None
    roles: list[str]
    groups: list[str]
    told_by: str
    told_at: str


class MetricDifference(TypedDict):
    name: str
    before: NotRequired[float | None]
    after: NotRequired[float | None]
    difference: NotRequired[float | None]


class NotificationOut(TypedDict):
    id: str
    channel: Channel
    address: str
    recipient: str
    kind: str
    about: str
    subject: str
    text: str
    link: str | None
    digest: str | None
    status: Status
    attempts: int
    next_try_at: str
    last_status: int | None
    last_error: str | None
    created_at: str
    delivered_at: str | None


class PageAsked(TypedDict):
    items: list[Asked]
    next_cursor: NotRequired[str | None]


class PageAuditRecord(TypedDict):
    items: list[AuditRecord]
    next_cursor: NotRequired[str | None]


class PageCandidacyOut(TypedDict):
    items: list[CandidacyOut]
    next_cursor: NotRequired[str | None]


class PageCommentOut(TypedDict):
    items: list[CommentOut]
    next_cursor: NotRequired[str | None]


class PageContactOut(TypedDict):
    items: list[ContactOut]
    next_cursor: NotRequired[str | None]


class PageDelegationOut(TypedDict):
    items: list[DelegationOut]
    next_cursor: NotRequired[str | None]


class PageDeliveryOut(TypedDict):
    items: list[DeliveryOut]
    next_cursor: NotRequired[str | None]


class PageEvidenceOut(TypedDict):
    items: list[EvidenceOut]
    next_cursor: NotRequired[str | None]


class PageFindingOut(TypedDict):
    items: list[FindingOut]
    next_cursor: NotRequired[str | None]


class PageIdentityOut(TypedDict):
    items: list[IdentityOut]
    next_cursor: NotRequired[str | None]


class PageNotificationOut(TypedDict):
    items: list[NotificationOut]
    next_cursor: NotRequired[str | None]


class PagePastRound(TypedDict):
    items: list[PastRound]
    next_cursor: NotRequired[str | None]


class PagePolicyOut(TypedDict):
    items: list[PolicyOut]
    next_cursor: NotRequired[str | None]


class PageRulesOut(TypedDict):
    items: list[RulesOut]
    next_cursor: NotRequired[str | None]


class PageServingOut(TypedDict):
    items: list[ServingOut]
    next_cursor: NotRequired[str | None]


class PageStepOut(TypedDict):
    items: list[StepOut]
    next_cursor: NotRequired[str | None]


class PageWebhookOut(TypedDict):
    items: list[WebhookOut]
    next_cursor: NotRequired[str | None]


class PastRound(TypedDict):
    review: str
    candidacy: str | None
    use_case: str
    model_version: str | None
    step: str | None
    policy: str
    requested_at: str
    ended_at: str | None
    decided: ReviewStatus
    would: Would
    reasons: list[str]
    not_known: list[str]
    differs: bool


class PastTrial(TypedDict):
    text: str
    since: NotRequired[str | None]
    until: NotRequired[str | None]


class PolicyDiff(TypedDict):
    before: str
    after: str
    differences: list[PolicyDifference]


class PolicyDifference(TypedDict):
    kind: PoliciesDiffKind
    part: str
    before: Any
    after: Any
    words: str


class PolicyIn(TypedDict):
    text: str


class PolicyOut(TypedDict):
    name: str
    version: int
    description: str
    text: str
    created_by: NotRequired[str | None]
    created_at: NotRequired[str | None]


class PreferencesIn(TypedDict):
    gathers: NotRequired[Gathers | None]
    muted: NotRequired[bool]


class Proposal(TypedDict):
    use_case: str
    model_version: str


class PublicKeys(TypedDict):
    keys: list[dict[str, str]]


class QuestionIn(TypedDict):
    model_version: NotRequired[str | None]
    artifact_digest: NotRequired[str | None]
    image: NotRequired[str | None]
    use_case: NotRequired[str | None]
    environment: NotRequired[str | None]


class Reason(TypedDict):
    reason: NotRequired[str | None]


class Resolution(TypedDict):
    reason: str


class ReviewOut(TypedDict):
    id: str
    candidacy: str | None
    use_case: str
    model_version: str | None
    step: str | None
    to: Stage | None
    policy: str
    status: ReviewStatus
    content_hash: str
    content: dict[str, Any]
    checks: list[CheckResult]
    tasks: list[TaskOut]
    evidence: list[EvidenceOut]
    requested_by: str
    requested_at: str
    ended_at: str | None
    since_accepted: ContentDifference | None
    since_last_round: ContentDifference | None


class Reviews(TypedDict):
    accepted: int
    rejected: int
    changes_requested: int
    cancelled: int
    acceptance_rate: float | None
    median_s: float | None
    p90_s: float | None


class RiskAccepted(TypedDict):
    until: str
    reason: str


class RulesIn(TypedDict):
    text: str


class RulesOut(TypedDict):
    version: int
    text: str
    created_by: NotRequired[str | None]
    created_at: NotRequired[str | None]


class SecretOut(TypedDict):
    url: str
    secret: str


class Seen(TypedDict):
    name: str
    value: NotRequired[Any]
    threshold: NotRequired[str | None]
    report: NotRequired[str | None]
    digest: NotRequired[str | None]


class Serves(TypedDict):
    urn: str
    kind: str
    name: str
    status: str | None


class Serving(TypedDict):
    model_versions: int
    without_acceptance: int


class ServingOut(TypedDict):
    candidacy: str
    model_version: str
    model_version_id: str
    status: CandidacyStatus
    reason: str | None
    deployments: list[Serves]
    accepted_for: list[str]
    switch_off: bool


class Simulation(TypedDict):
    policy: str
    passed: bool
    checks: list[CheckResult]
    asked: list[list[str]]
    kept_apart: list[str]
    not_known: list[str]


class Standing(TypedDict):
    kind: str
    severity: str
    status: str
    findings: int
    up_to_a_week: int
    up_to_a_month: int
    older: int
    overdue: int


class StepOut(TypedDict):
    id: str
    use_case: str
    use_case_id: str
    to: Stage
    status: StepStatus
    reason: str | None
    blocked_by: list[str]
    content_hash: str | None
    review: str | None
    policy: str | None
    proposed_by: str
    created_at: str
    changed_by: str
    changed_at: str
    expires_at: str | None


class TaskCounts(TypedDict):
    total: int
    overdue: int
    unassigned: int
    status: dict[str, int]
    role: dict[str, int]
    stage: dict[str, int]
    assignee: dict[str, int]
    use_case: dict[str, int]
    model: dict[str, int]


class TaskOut(TypedDict):
    id: str
    review: str
    of_candidacy: str | None
    use_case: str
    model_version: str | None
    of_step: str | None
    step_to: Stage | None
    put_forward_by: str
    stage: str
    role: str
    seat: int
    status: TaskStatus
    assignee: str | None
    asked_group: str | None
    opened_at: str
    due_at: str
    decided_by: str | None
    decided_at: str | None
    on_behalf_of: str | None
    comment: str | None
    kept_from: str | None
    dismissed: str | None


class TaskPage(TypedDict):
    items: list[TaskOut]
    next_cursor: NotRequired[str | None]
    counts: NotRequired[TaskCounts | None]


class Trial(TypedDict):
    use_case: str
    model_version: NotRequired[str | None]
    to: NotRequired[Stage | None]


class WebhookIn(TypedDict):
    url: str
    types: NotRequired[list[str]]
    description: NotRequired[str]
    enabled: NotRequired[bool]


class WebhookOut(TypedDict):
    id: str
    url: str
    types: list[str]
    description: str
    enabled: bool
    disabled_reason: str | None
    created_by: str
    created_at: str


class WebhookWithSecret(TypedDict):
    id: str
    url: str
    types: list[str]
    description: str
    enabled: bool
    disabled_reason: str | None
    created_by: str
    created_at: str
    secret: str


class Work(TypedDict):
    stage: str
    role: str
    waiting: int
    overdue: int
    longest_s: float | None
    decided: int
    median_s: float | None
    p90_s: float | None


class FieldError(TypedDict):
    pointer: str
    code: str
    detail: str


class ProblemDocument(TypedDict):
    type: str
    title: str
    status: int
    detail: str
    errors: NotRequired[list[FieldError] | None]
    correlation_id: str
