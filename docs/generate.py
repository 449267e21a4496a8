"""The reference pages, made of the tables in the code: `make docs`."""

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from assent_common.events import envelope
from assent_common.events.model import Payload
from assent_common.http.problems import TYPE_PREFIX, Problem
from assent_common.kafka import connection, topics
from assent_common.settings import Settings
from prometheus_client.metrics import MetricWrapperBase
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from docs import asyncapi

REFERENCE = Path(__file__).parent / "reference"
SERVICES = {
    "catalog-api": "assent_catalog",
    "workflow": "assent_workflow",
    "sagemaker-connector": "assent_sagemaker",
}
MADE_BY = "<!-- Made by `make docs` from the code; a test holds them equal. -->"


def pages() -> dict[Path, str]:
    """Every generated page, as it ought to be."""
    made = {"settings": settings(), "topics": events(), "problems": problems(), "metrics": metrics()}
    written = {REFERENCE / f"{name}.md": text for name, text in made.items()}
    return {**written, REFERENCE / "asyncapi.yaml": asyncapi.document()}


def settings() -> str:
    sections = [("Every service", Settings, Settings.model_fields)]
    for service, module in of_services("settings"):
        own = {name: field for name, field in module.Settings.model_fields.items() if name not in Settings.model_fields}
        sections.append((service, module.Settings, own))
    return _page(
        "Settings",
        "All settings come from the environment. An empty variable counts as not set. A mapping is a JSON object.",
        *(
            f"## {title}\n\n"
            + _table(
                ("Variable", "Default", "Meaning"),
                [
                    (f"`{kind.model_config['env_prefix']}{name.upper()}`", _default(field), str(field.description))
                    for name, field in fields.items()
                ],
            )
            for title, kind, fields in sections
        ),
        "## What libraries read by themselves\n\n"
        + _table(
            ("Variable", "Meaning"),
            [
                ("`AWS_REGION`, `AWS_PROFILE`, `AWS_ENDPOINT_URL_SAGEMAKER`, …", "AWS's own settings (connector)"),
                ("`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_…`", "Where traces go; nowhere unless set"),
            ],
        ),
    )


def events() -> str:
    dead_letters = sorted({topics.dead_letters_of(group).name for topic in topics.ALL for group in topic.readers})
    days = connection.DEAD_LETTER_RETENTION_MS // (24 * 3600 * 1000)
    return _page(
        "Topics and events",
        "CloudEvents 1.0 in structured mode (`content-type: application/cloudevents+json`). The Kafka key is the "
        "event's `subject`: one entity's events stay in order in one partition, and a compacted topic keeps each "
        "entity's last state. Order between entities is not promised. An event may come more than once: apply it only "
        "if its `sequence` is greater than the one that you have. Ignore fields and types that you do not know: within "
        f"a `.v1` they are only added. No event is larger than {envelope.MAX_BYTES:,} bytes. For tools, all of it is "
        "an [AsyncAPI document](asyncapi.yaml), too.",
        *(_topic(topic, types) for topic, types in asyncapi.EVENTS.items()),
        "## Dead letters\n\nWhat a consumer of Assent's own could not apply, as it came, with the reason in headers "
        f"`assent.error.*`; kept for {days} days. `assent dlq list CONSUMER` shows them.\n\n"
        + "\n".join(f"* `{name}`" for name in dead_letters),
    )


def problems() -> str:
    modules = [import_module("assent_common.http.problems"), *(module for _, module in of_services("problems"))]
    kinds = [
        kind
        for module in modules
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, Problem) and kind is not Problem
    ]
    unique = {kind.type: kind for kind in kinds}
    return _page(
        "Problems",
        "Every error is an RFC 9457 `application/problem+json`. `type` is stable; `detail` says what it was this time; "
        "`errors` names the fields at fault by JSON Pointer; `correlation_id` finds it in the log.",
        _table(
            ("Status", "Type", "Title"),
            [
                (str(kind.status), f"`{TYPE_PREFIX}{name}`", _first_line(kind))
                for name, kind in sorted(unique.items(), key=lambda item: (item[1].status, item[0]))
            ],
        ),
    )


def metrics() -> str:
    sections = [("Every service", import_module("assent_common.metrics")), *of_services("metrics")]
    return _page(
        "Metrics",
        "Prometheus metrics at `/metrics` of every service: kind, meaning, and what to do when it rises.",
        *(
            f"## {title}\n\n"
            + _table(
                ("Metric", "Kind", "Labels", "Meaning"),
                [_metric(value) for value in vars(module).values() if isinstance(value, MetricWrapperBase)],
            )
            for title, module in sections
        ),
    )


def _topic(topic: topics.Topic, types: Mapping[str, type[Payload]]) -> str:
    kept = "compacted: the last event of each key" if topic.compacted else "for ever, every event"
    readers = ", ".join(f"`{reader}`" for reader in topic.readers) or "none but `assent audit verify`"
    return f"## `{topic.name}`\n\nKept: {kept}. Assent's own readers: {readers}.\n\n" + _table(
        ("Type", "What it says", "Schema"),
        [
            (f"`{name}`", _first_line(payload), f"[JSON Schema]({_SCHEMAS}/{name}.json)")
            for name, payload in types.items()
        ],
    )


_SCHEMAS = "../../libs/common/src/assent_common/events/schemas"


def _metric(metric: MetricWrapperBase) -> tuple[str, str, str, str]:
    (described,) = metric.describe()
    name = described.name + ("_total" if described.type == "counter" else "")
    labels = ", ".join(f"`{label}`" for label in metric._labelnames)
    return f"`{name}`", described.type, labels, described.documentation


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    default = field.get_default(call_default_factory=True, validated_data={})
    if default in (None, "", PydanticUndefined) or default == {}:
        return ""
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    assert not isinstance(default, SecretStr)
    return f"`{default}`"


def of_services(name: str) -> Iterator[tuple[str, ModuleType]]:
    """The module of that name of each service that has one."""
    for service, package in SERVICES.items():
        if find_spec(f"{package}.{name}") is not None:
            yield service, import_module(f"{package}.{name}")


def _first_line(documented: type[Any]) -> str:
    return (documented.__doc__ or "").strip().splitlines()[0]


def _page(title: str, introduction: str, *sections: str) -> str:
    return "\n\n".join([f"# {title}", MADE_BY, introduction, *sections]) + "\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def main() -> None:
    REFERENCE.mkdir(exist_ok=True)
    for page, text in pages().items():
        page.write_text(text)


if __name__ == "__main__":
    main()
