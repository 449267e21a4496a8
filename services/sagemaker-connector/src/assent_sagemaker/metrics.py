"""Every metric of the connector, one a line: kind, meaning, what to do when it rises."""

from prometheus_client import Counter, Gauge

SYNC_AGE_SECONDS = Gauge(
    "assent_source_sync_age_seconds",
    "Time since a source was last read to its end. Rising: `/v1/sources` says why.",
    ["source"],
)
AWS_CALLS = Counter("assent_aws_calls_total", "Calls to AWS that were answered or refused.", ["operation", "outcome"])
AWS_THROTTLED = Counter(
    "assent_aws_throttled_total",
    "Times AWS said that it was too much. Rising steadily: lengthen `poll_interval`, or ask AWS for more.",
    ["operation"],
)
CHANGES = Counter("assent_source_changes_total", "Objects told as changed or removed.", ["source", "kind"])
REPORTS = Counter(
    "assent_reports_total", "Metrics reports read, or not readable: may the source's role read them?", ["outcome"]
)
UNMAPPABLE = Counter(
    "assent_unmappable_total", "Documents of SageMaker's that could not be understood. The log names them.", ["source"]
)
REMOVALS_REFUSED = Counter(
    "assent_removals_refused_total", "Times more than half of a source seemed deleted at once. Look.", ["source"]
)
WRITE_BACKS = Counter(
    "assent_write_backs_total", "Write-backs by how they ended. `failed`: see `/v1/write-backs`.", ["source", "outcome"]
)
