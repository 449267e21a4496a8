"""`assent.governance.v1`: who put what forward, who was asked, who decided. Keyed by the entity's id."""

from enum import StrEnum
from uuid import UUID

from pydantic import Field

from assent_common.events.catalog import Stage
from assent_common.events.model import Json, Payload, UtcTime


class CandidacyStatus(StrEnum):
    CANDIDATE = "candidate"
    UNDER_REVIEW = "under_review"
    ACCEPTED = "accepted"
    SUSPENDED = "suspended"
    REJECTED = "rejected"
    RETIRED = "retired"
    WITHDRAWN = "withdrawn"


class TaskStatus(StrEnum):
    OPEN = "open"
    APPROVED = "approved"
    REJECTED = "rejected"
    CHANGES_REQUESTED = "changes_requested"
    #: The review ended before the task was decided, or enough others have approved.
    CANCELLED = "cancelled"


class CandidacyChanged(Payload):
    """One model version put forward for one use case, as it stands."""

    id: UUID
    use_case: str
    use_case_id: UUID
    model_version: str
    #: When the source made the version: another one under the same urn is another version.
    version_created_at: UtcTime | None = None
    status: CandidacyStatus
    #: Why it stands there, in words.
    reason: str | None = None
    #: The content that was judged; absent until it was.
    content_hash: str | None = None
    review: UUID | None = None
    policy: str | None = None
    put_forward_by: str
    changed_by: str
    changed_at: UtcTime
    #: Until when an acceptance holds.
    expires_at: UtcTime | None = None
    #: Who accepted it past its policy, in an emergency and until `expires_at`.
    overridden_by: str | None = None
    #: Where alone an acceptance holds; everywhere, where absent.
    environments: tuple[str, ...] | None = None


class StepStatus(StrEnum):
    """Where a use case's step stands."""

    UNDER_REVIEW = "under_review"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    CHANGES_REQUESTED = "changes_requested"
    #: What was accepted is not what stands now, or its time is up.
    SUSPENDED = "suspended"
    #: A later step stands in its place, or the use case was given up.
    RETIRED = "retired"
    WITHDRAWN = "withdrawn"
    #: No policy asks for a review of it.
    NOT_ASKED = "not_asked"


class StepChanged(Payload):
    """A use case on its way to a stage, as it stands. The use case went there where `accepted_at` is told."""

    #: Of the proposal.
    id: UUID
    use_case: str
    use_case_id: UUID
    to: Stage
    status: StepStatus
    #: Why it stands there, in words.
    reason: str | None = None
    #: What was judged.
    content_hash: str | None = None
    review: UUID | None = None
    policy: str | None = None
    put_forward_by: str
    changed_by: str
    changed_at: UtcTime
    #: Until when an acceptance holds: it is looked at again by then.
    expires_at: UtcTime | None = None
    #: When it was accepted first, or let go because no policy asks: the use case went there, whatever came after.
    accepted_at: UtcTime | None = None


class ReviewedStages(Payload):
    """To which stages some policy lets use cases go by a review alone. There is one of it."""

    stages: list[Stage] = Field(default_factory=list)


class Seen(Payload):
    """A value that a check looked at, and where it comes from."""

    #: `version.metrics.accuracy`.
    name: str
    value: Json = None
    #: What the check holds it against, where that is a number: `>= 0.8`.
    threshold: str | None = None
    #: The report that holds it, with the digest of what was read of it.
    report: str | None = None
    digest: str | None = None

    def __hash__(self) -> int:
        return hash((self.name, self.threshold, self.report, self.digest))


class CheckResult(Payload):
    """One automatic check, with what it saw."""

    name: str
    passed: bool
    reason: str
    #: The condition, as the policy has it.
    expression: str | None = None
    seen: tuple[Seen, ...] = ()
    #: Since when it comes out like this.
    since: UtcTime | None = None
    #: Nobody has answered it yet: it does not pass until somebody does.
    pending: bool = False


class MetricDifference(Payload):
    """A metric that is not what it was; null where it was not measured on that side."""

    #: By the role of its report: `model_quality.accuracy`.
    name: str
    before: float | None = None
    after: float | None = None
    difference: float | None = None


class ContentDifference(Payload):
    """What the content judged differs in from what another review judged."""

    #: The other review, of this model version; null where it was of a use case.
    review: UUID
    model_version: str | None
    content_hash: str
    #: The parts that differ: `artifacts`, `metrics`.
    parts: tuple[str, ...] = ()
    #: How many fields of them do.
    fields: int = 0
    metrics: tuple[MetricDifference, ...] = ()


class ReviewRequested(Payload):
    """A round of judging, pinned to a policy version and to the content judged."""

    id: UUID
    #: Null where it is about a step of the use case.
    candidacy: UUID | None
    use_case: str
    model_version: str | None
    policy: str
    content_hash: str
    #: `open`, `accepted`, `rejected`, `changes_requested`, `cancelled`, `overridden`.
    status: str
    checks: list[CheckResult] = Field(default_factory=list)
    requested_by: str
    requested_at: UtcTime
    ended_at: UtcTime | None = None
    #: Against what was last accepted for the use case; absent where nothing was.
    since_accepted: ContentDifference | None = None
    #: Against the candidacy's round before this one; absent for the first.
    since_last_round: ContentDifference | None = None
    #: The step of the use case that it is about, and where that leads.
    step: UUID | None = None
    to: Stage | None = None


class TaskChanged(Payload):
    """One approval asked of one role."""

    id: UUID
    review: UUID
    #: Null where it is about a step of the use case.
    candidacy: UUID | None
    use_case: str
    model_version: str | None
    stage: str | None = None
    role: str
    #: Of several people of the role who are asked, the how-manieth.
    seat: int = 1
    status: TaskStatus
    opened_at: UtcTime | None = None
    due_at: UtcTime | None = None
    #: Who has taken it on, or was given it.
    assignee: str | None = None
    #: Of which only members decide it.
    group: str | None = None
    decided_by: str | None = None
    decided_at: UtcTime | None = None
    #: For whom, where it was decided by one who stands in.
    on_behalf_of: str | None = None
    comment: str | None = None
    #: The task of an earlier round whose approval counts on here.
    kept_from: UUID | None = None
    #: The step of the use case that it is about, and where that leads.
    step: UUID | None = None
    to: Stage | None = None


class EvidenceAttached(Payload):
    """What a judgement rests on, named and not kept here: with its digest nobody can put another in its place."""

    id: UUID
    review: UUID
    #: The task whose decision it was given with.
    task: UUID | None = None
    #: Null where it is about a step of the use case.
    candidacy: UUID | None
    use_case: str
    model_version: str | None
    name: str
    uri: str
    #: Of what is at `uri`, in hex.
    sha256: str
    media_type: str
    note: str | None = None
    attached_by: str
    attached_at: UtcTime
    #: The step of the use case that it is about, and where that leads.
    step: UUID | None = None
    to: Stage | None = None


class CommentAdded(Payload):
    """What somebody said of a review. It is never changed: who thinks otherwise later says so."""

    id: UUID
    review: UUID
    #: The task that it is about.
    task: UUID | None = None
    #: Null where it is about a step of the use case.
    candidacy: UUID | None
    use_case: str
    model_version: str | None
    author: str
    #: Markdown.
    body: str
    #: The decision that it gives the reason for: `approve`, `reject`, `request_changes`.
    verdict: str | None = None
    added_at: UtcTime
    #: The step of the use case that it is about, and where that leads.
    step: UUID | None = None
    to: Stage | None = None


class DelegationChanged(Payload):
    """One person decides for another, for one role and for a while, where a task's policy lets them."""

    id: UUID
    role: str
    delegator: str
    #: The one who stands in.
    substitute: str
    begins_at: UtcTime
    ends_at: UtcTime
    reason: str
    #: Since when it does not count any more, where that is before its end.
    revoked_at: UtcTime | None = None
    changed_by: str


class FindingChanged(Payload):
    """Something that breaks the rules."""

    id: UUID
    kind: str
    subject: str
    #: `open`, `risk_accepted`, `resolved`.
    status: str
    evidence: Json = None
    found_at: UtcTime
    resolved_at: UtcTime | None = None
    #: `deployment`, `model_version`, `candidacy`, `use_case`.
    subject_kind: str | None = None
    #: `critical`, `high`, `medium`, `low`.
    severity: str | None = None
    summary: str | None = None
    owner: str | None = None
    model_version: str | None = None
    due_at: UtcTime | None = None
    #: How often it came (back).
    times_found: int = 1
    #: Why it stands where it stands, in words.
    reason: str | None = None
    changed_by: str | None = None
    #: Until when its risk is accepted.
    accepted_until: UtcTime | None = None


class TimerFired(Payload):
    """It was time for something: to remind, to escalate, to look again. Said once, keyed by its own id."""

    id: UUID
    #: `reminder`, `due`, `escalation`, `periodic_review`, `expiry`, `finding_due`, `risk_expiry`.
    kind: str
    task: UUID | None = None
    candidacy: UUID | None = None
    finding: UUID | None = None
    use_case: str | None = None
    model_version: str | None = None
    #: Whom it is for, where it is for a role.
    role: str | None = None
    due_at: UtcTime
    fired_at: UtcTime
    #: The step of the use case that it is about, and where that leads.
    step: UUID | None = None
    to: Stage | None = None


TYPES: dict[str, type[Payload]] = {
    "assent.governance.candidacy.changed.v1": CandidacyChanged,
    "assent.governance.step.changed.v1": StepChanged,
    "assent.governance.reviewed_stages.changed.v1": ReviewedStages,
    "assent.governance.review.requested.v1": ReviewRequested,
    "assent.governance.task.changed.v1": TaskChanged,
    "assent.governance.comment.added.v1": CommentAdded,
    "assent.governance.evidence.attached.v1": EvidenceAttached,
    "assent.governance.delegation.changed.v1": DelegationChanged,
    "assent.governance.finding.changed.v1": FindingChanged,
    "assent.governance.timer.fired.v1": TimerFired,
}
