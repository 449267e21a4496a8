"""The Grafana dashboards, written from what is said here: `make docs`.

A query that shows a gauge which every process of a service measures for itself in the database takes the highest of
them; what processes have between them is added up.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "dashboards"
SERVICES = "catalog-api|workflow|sagemaker-connector"
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
#: Grafana's own: the columns of a dashboard, and the version of the format.
COLUMNS = 24
SCHEMA = 39


@dataclass(frozen=True)
class Query:
    expr: str
    legend: str = ""


@dataclass(frozen=True)
class Panel:
    title: str
    says: str
    queries: Sequence[Query]
    unit: str = "short"
    kind: str = "timeseries"
    width: int = 12
    height: int = 8
    #: From here on a value is shown in red; a dashboard says it by itself, so that nobody has to know.
    red_from: float | None = None


@dataclass(frozen=True)
class Dashboard:
    uid: str
    title: str
    says: str
    panels: Sequence[Panel]


def stat(title: str, says: str, expr: str, *, unit: str = "short", red_from: float | None = None) -> Panel:
    return Panel(title, says, [Query(expr)], unit=unit, kind="stat", width=6, height=4, red_from=red_from)


def rate(metric: str, by: str) -> str:
    return f"sum by ({by}) (rate({metric}[$__rate_interval]))"


def share(of: str, metric: str) -> str:
    return f"sum(rate({metric}{{{of}}}[$__rate_interval])) / sum(rate({metric}[$__rate_interval]))"


def quantile(q: float, of: str, by: str = "le") -> str:
    return (
        f"histogram_quantile({q}, sum by ({by}) (rate(assent_http_request_seconds_bucket{{{of}}}[$__rate_interval])))"
    )


SOURCES = Dashboard(
    "assent-sources",
    "Assent: sources",
    "How fresh what is known of each source is, and how reading it goes.",
    [
        stat(
            "Stalest source",
            "Age of the oldest last whole reading.",
            "max(time() - max by (source) (assent_source_seen_until_timestamp_seconds))",
            unit="s",
            red_from=3600,
        ),
        stat(
            "Sources read",
            "Sources that were read to their end at least once.",
            "count(max by (source) (assent_source_seen_until_timestamp_seconds))",
        ),
        stat(
            "Readings that failed",
            "In the last hour.",
            'sum(increase(assent_syncs_total{outcome="failed"}[1h]))',
            red_from=1,
        ),
        stat(
            "Removals refused",
            "Times in a day that too much of a source seemed deleted at once.",
            "sum(increase(assent_removals_refused_total[1d]))",
            red_from=1,
        ),
        Panel(
            "Freshness per source",
            "Seconds since the last reading that got to its end began: the twenty stalest.",
            [
                Query(
                    "topk(20, time() - max by (source) "
                    '(assent_source_seen_until_timestamp_seconds{source=~"$source"}))',
                    "{{source}}",
                )
            ],
            unit="s",
            width=24,
        ),
        Panel(
            "Readings",
            "Readings of sources by how they ended.",
            [Query(rate("assent_syncs_total", "mode, outcome"), "{{mode}} {{outcome}}")],
            unit="ops",
        ),
        Panel(
            "Changes found",
            "Objects told as changed or removed, by kind.",
            [Query(rate("assent_source_changes_total", "kind"), "{{kind}}")],
            unit="ops",
        ),
        Panel(
            "Calls to AWS",
            "Each try of a call, by how it ended.",
            [Query(rate("assent_aws_calls_total", "outcome"), "{{outcome}}")],
            unit="ops",
        ),
        Panel(
            "Throttled by AWS",
            "Times AWS said that it was too much, by operation.",
            [Query(rate("assent_aws_throttled_total", "operation"), "{{operation}}")],
            unit="ops",
        ),
        Panel(
            "Metrics reports",
            "What came of reading them.",
            [Query(rate("assent_reports_total", "outcome"), "{{outcome}}")],
            unit="ops",
        ),
        Panel(
            "Hints from the queues",
            "What became of EventBridge's events.",
            [Query(rate("assent_hints_total", "outcome"), "{{outcome}}")],
            unit="ops",
        ),
        Panel(
            "Documents not understood",
            "Of SageMaker's; the connector's log names them.",
            [Query("sum by (source) (increase(assent_unmappable_total[1h]))", "{{source}}")],
        ),
        Panel(
            "Write-backs",
            "Decisions written to SageMaker by how it ended, and approvals that others changed there.",
            [
                Query("sum by (outcome) (increase(assent_write_backs_total[1h]))", "{{outcome}}"),
                Query("sum(increase(assent_approval_drifts_total[1h]))", "changed by others"),
            ],
        ),
    ],
)

FLOW = Dashboard(
    "assent-flow",
    "Assent: flow",
    "Whether changes get from their database through Kafka to every reader, and whether requests are answered.",
    [
        stat("Services up", "Processes that answer Prometheus.", f'sum(up{{job=~"{SERVICES}"}})'),
        stat(
            "Oldest unpublished event",
            "Over all services.",
            "max(assent_outbox_oldest_age_seconds)",
            unit="s",
            red_from=60,
        ),
        stat("Dead letters", "Put aside in the last day.", "sum(increase(assent_dead_letters_total[1d]))", red_from=1),
        stat(
            "Requests that failed",
            "Share of 5xx in all answers.",
            share('status=~"5.."', "assent_http_requests_total"),
            unit="percentunit",
            red_from=0.01,
        ),
        Panel(
            "Events waiting in the outbox",
            "Committed, not yet acknowledged by the broker.",
            [Query("max by (job) (assent_outbox_pending_records)", "{{job}}")],
        ),
        Panel(
            "Events published",
            "Acknowledged by the broker, by topic.",
            [Query(rate("assent_outbox_published_total", "topic"), "{{topic}}")],
            unit="ops",
        ),
        Panel(
            "Events not yet read",
            "By reader and topic.",
            [Query("sum by (job, topic) (assent_consumer_lag_records)", "{{job}} {{topic}}")],
        ),
        Panel(
            "Events applied",
            "By reader.",
            [
                Query(rate("assent_consumer_records_total", "group"), "{{group}}"),
                Query(rate("assent_consumer_skipped_total", "topic"), "skipped of {{topic}}"),
            ],
            unit="ops",
        ),
        Panel(
            "Dead letters",
            "Events that could not be applied, by topic.",
            [Query("sum by (job, topic) (increase(assent_dead_letters_total[1h]))", "{{job}} {{topic}}")],
        ),
        Panel(
            "Faults that were got over",
            "Producers thrown away, duties that failed and were started again, events published once more.",
            [
                Query("sum by (job) (increase(assent_producer_rebuilds_total[1h]))", "{{job}} producers"),
                Query("sum by (job, task) (increase(assent_task_failures_total[1h]))", "{{job}} {{task}}"),
                Query("sum by (job) (increase(assent_outbox_replayed_total[1h]))", "{{job}} replayed"),
            ],
        ),
        Panel(
            "Requests",
            "By service and status.",
            [Query(rate("assent_http_requests_total", "job, status"), "{{job}} {{status}}")],
            unit="reqps",
        ),
        Panel(
            "Time to answer",
            "99 of 100 are answered within this, by service.",
            [Query(quantile(0.99, "", "le, job"), "{{job}}")],
            unit="s",
        ),
        Panel(
            "Tokens refused",
            "By reason.",
            [Query(rate("assent_tokens_refused_total", "job, reason"), "{{job}} {{reason}}")],
            unit="ops",
        ),
        Panel(
            "The audit log",
            "Records not chained yet, and records that the last signed checkpoint covers.",
            [
                Query("max by (job) (assent_audit_unsealed_records)", "{{job}} not chained"),
                Query("max by (job) (assent_audit_checkpointed_records)", "{{job}} signed"),
            ],
        ),
    ],
)

APPROVALS = Dashboard(
    "assent-approvals",
    "Assent: approvals",
    "Who waits for whom, how long acceptance takes, and where it is held up.",
    [
        stat("Waiting", "Tasks that wait for a decision.", "sum(max by (stage, role) (assent_workflow_tasks_waiting))"),
        stat(
            "Overdue",
            "Of those, past their due time.",
            "sum(max by (stage, role) (assent_workflow_tasks_overdue))",
            red_from=1,
        ),
        stat(
            "Median time to acceptance",
            "From submitting to accepting, over the last 90 days.",
            'max(assent_workflow_review_acceptance_seconds{quantile="0.5"})',
            unit="s",
        ),
        stat(
            "Accepted",
            "Of the reviews judged in the last 90 days.",
            "max(assent_workflow_acceptance_ratio)",
            unit="percentunit",
        ),
        Panel(
            "Waiting by role",
            "Tasks that wait, by the role that has to decide.",
            [Query("sum by (role) (max by (stage, role) (assent_workflow_tasks_waiting))", "{{role}}")],
        ),
        Panel(
            "Overdue by role",
            "Tasks past their due time.",
            [Query("sum by (role) (max by (stage, role) (assent_workflow_tasks_overdue))", "{{role}}")],
        ),
        Panel(
            "The longest wait",
            "How long the first of a role's tasks has waited.",
            [Query("max by (role) (assent_workflow_tasks_longest_wait_seconds)", "{{role}}")],
            unit="s",
        ),
        Panel(
            "Time to decide",
            "By stage and role, over the last 90 days: the slowest one holds acceptance up.",
            [
                Query(
                    "max by (stage, role, quantile) (assent_workflow_task_decision_seconds)",
                    "{{stage}} {{role}} p{{quantile}}",
                )
            ],
            unit="s",
        ),
        Panel(
            "Reviews ended",
            "In the last 90 days, by outcome.",
            [Query("max by (outcome) (assent_workflow_reviews_ended)", "{{outcome}}")],
            kind="bargauge",
        ),
        Panel(
            "Candidacies",
            "By status.",
            [Query("max by (status) (assent_workflow_candidacies)", "{{status}}")],
            kind="bargauge",
        ),
        Panel(
            "Timers",
            "Reminders, due times, escalations and expiries that fired, and those that could not.",
            [
                Query("sum(rate(assent_workflow_timers_fired_total[$__rate_interval]))", "fired"),
                Query("sum(rate(assent_workflow_timers_put_off_total[$__rate_interval]))", "put off"),
            ],
            unit="ops",
            width=24,
        ),
    ],
)

FINDINGS = Dashboard(
    "assent-findings",
    "Assent: findings",
    "What breaks the rules: how much of it, how bad, and for how long.",
    [
        stat("Model versions that serve", "Now.", "max(assent_workflow_serving_model_versions)"),
        stat(
            "Serving without acceptance",
            "Of those, accepted for nothing.",
            "max(assent_workflow_serving_without_acceptance_model_versions)",
            red_from=1,
        ),
        stat(
            "Findings",
            "Not resolved.",
            "sum(max by (kind, severity, status, age) (assent_workflow_findings))",
            red_from=1,
        ),
        stat(
            "Older than a month",
            "Of those.",
            'sum(max by (kind, severity, status, age) (assent_workflow_findings{age="older"}))',
            red_from=1,
        ),
        Panel(
            "By kind",
            "Findings that are not resolved.",
            [Query("sum by (kind) (max by (kind, severity, status, age) (assent_workflow_findings))", "{{kind}}")],
        ),
        Panel(
            "By severity",
            "Findings that are not resolved.",
            [
                Query(
                    "sum by (severity) (max by (kind, severity, status, age) (assent_workflow_findings))",
                    "{{severity}}",
                )
            ],
        ),
        Panel(
            "By age",
            "Up to a week old, up to a month, older.",
            [Query("sum by (age) (max by (kind, severity, status, age) (assent_workflow_findings))", "{{age}}")],
            kind="bargauge",
        ),
        Panel(
            "Serving",
            "Model versions that serve, and those of them that are accepted for nothing.",
            [
                Query("max(assent_workflow_serving_model_versions)", "serve"),
                Query("max(assent_workflow_serving_without_acceptance_model_versions)", "without acceptance"),
            ],
        ),
        Panel(
            "Approvals changed in SageMaker",
            "By somebody other than Assent, without a decision.",
            [Query("sum(increase(assent_approval_drifts_total[1h]))", "changed")],
            width=24,
        ),
    ],
)

_GATE = 'job="workflow",method="POST",route="/v1/gate"'
GATE = Dashboard(
    "assent-gate",
    "Assent: gate",
    "Whether the gate answers, how fast, and what it says.",
    [
        stat(
            "Questions",
            "A second.",
            f"sum(rate(assent_http_requests_total{{{_GATE}}}[$__rate_interval]))",
            unit="reqps",
        ),
        stat(
            "Not answered",
            "Share of 5xx: whoever asked must take it for a no.",
            f'sum(rate(assent_http_requests_total{{{_GATE},status=~"5.."}}[$__rate_interval]))'
            f" / sum(rate(assent_http_requests_total{{{_GATE}}}[$__rate_interval]))",
            unit="percentunit",
            red_from=0.001,
        ),
        stat("99 of 100 within", "Time to the answer.", quantile(0.99, _GATE), unit="s", red_from=0.25),
        stat(
            "Allowed",
            "Share of the answers.",
            'sum(rate(assent_workflow_gate_answers_total{answer="allow"}[$__rate_interval]))'
            " / sum(rate(assent_workflow_gate_answers_total[$__rate_interval]))",
            unit="percentunit",
        ),
        Panel(
            "Answers",
            "What the gate said.",
            [Query(rate("assent_workflow_gate_answers_total", "answer"), "{{answer}}")],
            unit="ops",
        ),
        Panel(
            "Time to answer",
            "Half, 95 and 99 of 100 are answered within this.",
            [Query(quantile(q, _GATE), f"p{q * 100:.0f}") for q in (0.5, 0.95, 0.99)],
            unit="s",
        ),
        Panel(
            "By status",
            "422: the question cannot be read; 429: one caller asks too much; 503: the database does not answer.",
            [Query(f"sum by (status) (rate(assent_http_requests_total{{{_GATE}}}[$__rate_interval]))", "{{status}}")],
            unit="reqps",
            width=24,
        ),
    ],
)

ALL = (SOURCES, FLOW, APPROVALS, FINDINGS, GATE)


def files() -> dict[Path, str]:
    """Every dashboard's file, as it ought to be."""
    return {FOLDER / f"{each.uid}.json": json.dumps(_dashboard(each), indent=2) + "\n" for each in ALL}


def queries() -> Iterator[tuple[str, str]]:
    """(where it is, its PromQL) of every panel."""
    for dashboard in ALL:
        for panel in dashboard.panels:
            for query in panel.queries:
                yield f"{dashboard.title}, {panel.title}", query.expr


def _dashboard(made: Dashboard) -> dict[str, Any]:
    variables = [_datasource()]
    if any("$source" in query.expr for panel in made.panels for query in panel.queries):
        variables.append(_source())
    return {
        "uid": made.uid,
        "title": made.title,
        "description": made.says,
        "tags": ["assent"],
        "schemaVersion": SCHEMA,
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "utc",
        "links": [{"type": "dashboards", "title": "Assent", "tags": ["assent"], "asDropdown": False}],
        "templating": {"list": variables},
        "panels": list(_panels(made.panels)),
    }


def _panels(panels: Sequence[Panel]) -> Iterator[dict[str, Any]]:
    """From left to right and from top to bottom; a line is as high as its highest."""
    x = y = line = 0
    for number, panel in enumerate(panels, 1):
        if x + panel.width > COLUMNS:
            x, y, line = 0, y + line, 0
        yield _panel(number, panel, {"x": x, "y": y, "w": panel.width, "h": panel.height})
        x, line = x + panel.width, max(line, panel.height)


def _panel(number: int, panel: Panel, position: dict[str, int]) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if panel.red_from is not None:
        steps.append({"color": "red", "value": panel.red_from})
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.says,
        "datasource": DATASOURCE,
        "gridPos": position,
        "fieldConfig": {
            "defaults": {"unit": panel.unit, "min": 0, "thresholds": {"mode": "absolute", "steps": steps}},
            "overrides": [],
        },
        "options": {"reduceOptions": {"calcs": ["lastNotNull"]}} if panel.kind != "timeseries" else {},
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": DATASOURCE,
                "expr": query.expr,
                "legendFormat": query.legend or "__auto",
                "instant": panel.kind != "timeseries",
                "range": panel.kind == "timeseries",
            }
            for index, query in enumerate(panel.queries)
        ],
    }


def _datasource() -> dict[str, Any]:
    return {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}


def _source() -> dict[str, Any]:
    return {
        "name": "source",
        "label": "Source",
        "type": "query",
        "datasource": DATASOURCE,
        "query": "label_values(assent_source_seen_until_timestamp_seconds, source)",
        "refresh": 2,
        "includeAll": True,
        "allValue": ".*",
        "multi": True,
    }


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for file, text in files().items():
        file.write_text(text)


if __name__ == "__main__":
    main()
