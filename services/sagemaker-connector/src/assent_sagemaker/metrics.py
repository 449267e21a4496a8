"""Every metric of the connector, one a line: kind, meaning, what to do when it rises."""

from prometheus_client import Counter, Gauge

# The one metric with a series for every source: 15,000 of one label are nothing to Prometheus, 15,000 times the
# operations and outcomes are. A moment rather than an age: of several processes the highest is right, whoever reads
# the source by now. What else is to be known of a single source, `/v1/sources` and `/v1/sync-runs` say.
SEEN_UNTIL = Gauge(
    "assent_source_seen_until_timestamp_seconds",
    "When the last reading of a source began that got to its end, or, of one never read, when its reading was taken "
    "up; the highest of all processes counts. Freshness is "
    "`time() - max by (source) (…)`. Falling behind: `/v1/sources?failing=true` says why.",
    ["source"],
)
SYNCS = Counter(
    "assent_syncs_total",
    "Readings of sources by mode and how they ended. `failed` rising: `/v1/sources?failing=true`.",
    ["mode", "outcome"],
)
AWS_CALLS = Counter(
    "assent_aws_calls_total",
    "Calls to AWS, each try of one, by how it ended: `answered`, `throttled`, `failed`, `expired` or `refused`.",
    ["operation", "outcome"],
)
AWS_THROTTLED = Counter(
    "assent_aws_throttled_total",
    "Times AWS said that it was too much. Rising steadily: lengthen `poll_interval`, or ask AWS for more.",
    ["operation"],
)
CHANGES = Counter("assent_source_changes_total", "Objects told as changed or removed.", ["kind"])
REPORTS = Counter(
    "assent_reports_total",
    "Metrics reports by what came of reading them: `read`, `unchanged` or `unreadable`. The last one rising: may the "
    "source's role read them?",
    ["outcome"],
)
HINTS = Counter(
    "assent_hints_total",
    "Events from the queues: noted, looked_at, ignored; unreadable or failed: see `/v1/hints?failed=true`.",
    ["outcome"],
)
UNMAPPABLE = Counter(
    "assent_unmappable_total", "Documents of SageMaker's that could not be understood. The log names them.", ["source"]
)
REMOVALS_REFUSED = Counter(
    "assent_removals_refused_total",
    "Times that more of a source than its `max_removal_share` seemed deleted at once. `/v1/sources` says how much.",
    ["source"],
)
WRITE_BACKS = Counter(
    "assent_write_backs_total", "Write-backs by how they ended. `failed`: see `/v1/write-backs`.", ["outcome"]
)
APPROVAL_DRIFTS = Counter(
    "assent_approval_drifts_total",
    "Approvals that somebody changed in SageMaker without a decision. Rising: `assent aws guardrail` prevents it.",
)
