"""Every metric of every service, one a line: kind, meaning, what to do when it rises."""

from prometheus_client import Counter, Gauge, Histogram

HTTP_REQUESTS = Counter(
    "assent_http_requests_total", "Requests answered. Watch the share of 5xx.", ["method", "route", "status"]
)
HTTP_SECONDS = Histogram(
    "assent_http_request_seconds",
    "Time to the answer's first byte. When it rises look at the pool and at slow statements.",
    ["method", "route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
HTTP_REFUSED = Counter(
    "assent_http_refused_total",
    "Requests that were not let in (`overloaded`) or given up (`too-slow`). When it rises run more processes; when "
    "only `too-slow` does, look at what the service depends on.",
    ["reason"],
)
REQUESTS_NOT_LOGGED = Counter(
    "assent_http_requests_not_logged_total",
    "Requests of strangers, and refused ones, that are too many to write a line of the log for each. When it rises "
    "somebody tries; the lines before say who and what.",
)
OUTBOX_PUBLISHED = Counter("assent_outbox_published_total", "Events that the broker acknowledged.", ["topic"])
OUTBOX_PENDING = Gauge("assent_outbox_pending_records", "Events not yet published. Rising: is the broker there?")
OUTBOX_OLDEST_SECONDS = Gauge(
    "assent_outbox_oldest_age_seconds", "Age of the oldest event not yet published. Rising: is the broker there?"
)
OUTBOX_REPLAYED = Counter("assent_outbox_replayed_total", "Events published again because somebody asked.")
GENERATION = Gauge(
    "assent_database_generation", "How often the database was restored from a backup. Rising: it just was."
)
PRODUCER_REBUILDS = Counter(
    "assent_producer_rebuilds_total", "Producers thrown away. More than a few an hour: the broker is unwell."
)
CONSUMED = Counter("assent_consumer_records_total", "Events applied.", ["group"])
CONSUMER_LAG = Gauge(
    "assent_consumer_lag_records",
    "Events not yet read. Rising: the database is slow or the consumer stopped.",
    ["topic"],
)
SKIPPED = Counter("assent_consumer_skipped_total", "Events of a type this release does not know.", ["topic"])
DEAD_LETTERS = Counter(
    "assent_dead_letters_total", "Events put aside because they could not be applied. `assent dlq list`.", ["topic"]
)
TASK_FAILURES = Counter(
    "assent_task_failures_total", "Times a background duty failed and was started again. Look in the log.", ["task"]
)
COMPONENT_WORKING = Gauge(
    "assent_component_working",
    "1 while something that the service depends on, or one of its duties, works. 0: `/health/ready` says what it is.",
    ["component"],
)
TOKENS_REFUSED = Counter("assent_tokens_refused_total", "Bearer tokens not accepted.", ["reason"])
AUDIT_UNSEALED = Gauge("assent_audit_unsealed_records", "Audit records not yet chained. Rising: no sealer runs.")
AUDIT_CHECKPOINTED = Gauge(
    "assent_audit_checkpointed_records",
    "Audit records that the last checkpoint on Kafka covers. Standing still while records grow: no key, or no broker.",
)
AUDIT_BROKEN = Gauge(
    "assent_audit_broken", "1 when the audit log does not follow what was signed last. At once: `assent audit verify`."
)
