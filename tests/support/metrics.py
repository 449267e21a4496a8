"""The metrics of the services: as their tables say, and as a scrape finds them."""

from collections.abc import Iterator, Mapping
from importlib import import_module

from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.parser import text_string_to_metric_families

from docs import generate

SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
#: What Prometheus itself adds to whatever it scrapes.
OF_THE_SCRAPE = frozenset({"job", "instance"})


def told() -> dict[str, tuple[frozenset[str], frozenset[str]]]:
    """Series → (the services that have it, its labels), of the tables in the code."""
    return {name: (services, labels | OF_THE_SCRAPE) for name, services, labels in _told()} | {
        "up": (frozenset(generate.SERVICES), OF_THE_SCRAPE)
    }


def scraped(text: str) -> Mapping[str, frozenset[str]]:
    """Series → the labels that a scrape shows of it; none where it has no sample yet."""
    found: dict[str, frozenset[str]] = {}
    for family in text_string_to_metric_families(text):
        if family.name.endswith("_created"):
            continue  # when a counter began, of no use to anybody here
        for suffix in SUFFIXES.get(family.type, ()):
            found[family.name + suffix] = frozenset()
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, frozenset()) | frozenset(sample.labels)
    return found


def _told() -> Iterator[tuple[str, frozenset[str], frozenset[str]]]:
    every = frozenset(generate.SERVICES)
    modules = [(every, import_module("assent_common.metrics"))]
    modules += [(frozenset({service}), module) for service, module in generate.of_services("metrics")]
    for services, module in modules:
        for metric in vars(module).values():
            if isinstance(metric, MetricWrapperBase):
                (described,) = metric.describe()
                for suffix in SUFFIXES[described.type]:
                    labels = frozenset(metric._labelnames) | ({"le"} if suffix == "_bucket" else set())
                    yield described.name + suffix, services, labels
