"""The metrics that only the workflow has."""

from prometheus_client import Counter

TIMERS_FIRED = Counter(
    "assent_workflow_timers_fired_total", "Reminders, due times, escalations and expiries that fired."
)
TIMERS_PUT_OFF = Counter(
    "assent_workflow_timers_put_off_total",
    "Times a timer could not be fired and was put off. The reason is in the log and in its row's `failure`.",
)
