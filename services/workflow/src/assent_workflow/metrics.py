"""The metrics that only the workflow has."""

from prometheus_client import Counter, Gauge

TIMERS_FIRED = Counter(
    "assent_workflow_timers_fired_total", "Reminders, due times, escalations and expiries that fired."
)
TIMERS_PUT_OFF = Counter(
    "assent_workflow_timers_put_off_total",
    "Times a timer could not be fired and was put off. The reason is in the log and in its row's `failure`.",
)
EXTERNAL_CHECKS = Counter(
    "assent_workflow_external_checks_total",
    "Questions to other systems by what came of them: `passed`, `failed`, `unknown`. Where `unknown` rises, a system "
    "that a policy asks does not answer, and nothing is accepted that waits for it.",
    ["outcome"],
)
OUTGOING = Counter(
    "assent_workflow_outgoing_total",
    "Attempts to tell somebody of something, by channel (`mail`, `slack`, `webhook`) and outcome: `delivered`, "
    "`waiting` (tried again later), `failed` (given up). Failed rising: `GET /v1/notifications?status=failed`, or the "
    "webhook's deliveries, say why.",
    ["channel", "outcome"],
)
OUTGOING_SLOW = Gauge(
    "assent_workflow_outgoing_slow_receivers",
    "Receivers, of those tried within a day, that did not answer within a second, by channel (`slack`, `webhook`, "
    "`check`): what goes to them waits for them, and for no other. Of webhooks `GET /v1/webhooks/{id}/deliveries` says "
    "who it is.",
    ["channel"],
)
TASKS_WAITING = Gauge("assent_workflow_tasks_waiting", "Tasks that wait for a decision.", ["stage", "role"])
TASKS_OVERDUE = Gauge(
    "assent_workflow_tasks_overdue", "Of those, past their due time. Rising: talk to the role.", ["stage", "role"]
)
TASKS_LONGEST = Gauge(
    "assent_workflow_tasks_longest_wait_seconds", "How long the first of those has waited.", ["stage", "role"]
)
TASK_SECONDS = Gauge(
    "assent_workflow_task_decision_seconds",
    "From asking to deciding, over the last 90 days. The stage and role that holds acceptance up shows here.",
    ["stage", "role", "quantile"],
)
REVIEWS_ENDED = Gauge("assent_workflow_reviews_ended", "Reviews that ended in the last 90 days.", ["outcome"])
REVIEW_SECONDS = Gauge(
    "assent_workflow_review_acceptance_seconds", "From submitting to accepting, over the last 90 days.", ["quantile"]
)
ACCEPTANCE_RATE = Gauge(
    "assent_workflow_acceptance_ratio", "Accepted, of the reviews that somebody judged in the last 90 days."
)
CANDIDACIES = Gauge("assent_workflow_candidacies", "Candidacies by status.", ["status"])
GATE_ANSWERS = Counter(
    "assent_workflow_gate_answers_total", "What the gate said to those who asked: `allow` or `deny`.", ["answer"]
)
FINDINGS = Gauge(
    "assent_workflow_findings",
    "Findings that are not resolved, by how old they are: `week`, `month`, `older`.",
    ["kind", "severity", "status", "age"],
)
SERVING = Gauge("assent_workflow_serving_model_versions", "Model versions that serve.")
SERVING_UNACCEPTED = Gauge(
    "assent_workflow_serving_without_acceptance_model_versions",
    "Of those, the ones that are accepted for nothing. More than none: `GET /v1/findings`.",
)
