"""JSON to measurements: which of the known forms a report has, and where in it the numbers stand.

Every form is recognised by what it holds, never by its file's name:

* *monitor*: Model Monitor's statistics, `version` and `dataset` beside `…_metrics` groups;
* *pipelines*: the same groups of `{value, standard_deviation}` as pipelines write them, or a `metrics` group;
* *clarify*: `analysis.json`, bias metrics by facet and value;
* *scikit_learn*: `classification_report(output_dict=True)`, alone or nested;
* *evidently*: from version 0.7 on by `config.type`, before by `metric` and `result`;
* *mlflow*: a run, its `metrics` a list of `{key, value, step}` or an object;
* *named*: a list of `{name, value}`, Autopilot's candidate metrics among them;
* *data_quality*: Model Monitor's statistics of each feature, of which a summary is kept;
* *constraints*: thresholds, which are no measurements, so none are found;
* *flat*: anything else; each number counts under its dotted path.

A list of numbers is taken for one value per epoch where its key is the name of a metric, and then the last counts, for
that is the model that was kept; any other list (a curve, predictions) is no measurement.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice

from assent_common.events.model import Json

from assent_sagemaker.mapping.metrics.names import Way, is_metric, is_skipped
from assent_sagemaker.mapping.metrics.numbers import number
from assent_sagemaker.mapping.rules import rules, snake

MAX_MEASUREMENTS = 5000
"""What holds more numbers is data rather than a report: the first in the order of their keys are looked at."""


class Shape(StrEnum):
    MONITOR = "monitor"
    PIPELINES = "pipelines"
    CLARIFY = "clarify"
    SCIKIT_LEARN = "scikit_learn"
    EVIDENTLY = "evidently"
    MLFLOW = "mlflow"
    NAMED = "named"
    DATA_QUALITY = "data_quality"
    CONSTRAINTS = "constraints"
    FLAT = "flat"


@dataclass(frozen=True, slots=True)
class Measurement:
    #: The keys from the report's root to the number, as they stand there.
    way: Way
    value: float
    standard_deviation: float | None = None
    dataset: str | None = None
    #: Of what part of the data: `age=25-40`.
    slice: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    shape: Shape
    measurements: list[Measurement]
    problem_kind: str | None = None


def measurements(report: Json) -> Found:
    match report:
        case {"metrics": [*metrics]} if any(map(_evidently_type, metrics)):
            return Found(Shape.EVIDENTLY, list(islice(_evidently(metrics), MAX_MEASUREMENTS)))
        case {"metrics": [*metrics]} if any(map(_old_evidently_type, metrics)):
            return Found(Shape.EVIDENTLY, list(islice(_old_evidently(metrics), MAX_MEASUREMENTS)))
        case {"run": {"data": {"metrics": metrics}}} | {"info": _, "data": {"metrics": metrics}}:
            return Found(Shape.MLFLOW, list(islice(_walk(("metrics",), metrics), MAX_MEASUREMENTS)))
        case dict() if _CLARIFY_SECTIONS & report.keys():
            return Found(Shape.CLARIFY, list(islice(_clarify(report), MAX_MEASUREMENTS)))
        case dict() if "monitoring_config" in report or any(key.endswith("_constraints") for key in report):
            return Found(Shape.CONSTRAINTS, [])
        case {"features": [{"inferred_type": _}, *_] as features}:
            return Found(Shape.DATA_QUALITY, list(_data_quality(report, features)))
        case dict() if _is_scikit_learn(report):
            return Found(Shape.SCIKIT_LEARN, list(_scikit_learn((), report)), _problem_of_classes(report))
        case list():
            return Found(Shape.NAMED, list(islice(_walk((), report), MAX_MEASUREMENTS)))
        case dict():
            found = list(islice(_walk((), report), MAX_MEASUREMENTS))
            return Found(_grouped(report), found, _problem_of(report))
    return Found(Shape.FLAT, [])


def _grouped(report: Mapping[str, Json]) -> Shape:
    if any(key == "metrics" or key.endswith("_metrics") for key in report):
        return Shape.MONITOR if "version" in report and "dataset" in report else Shape.PIPELINES
    return Shape.FLAT


def _problem_of(report: Mapping[str, Json]) -> str | None:
    """What the sections tell, two levels deep; nothing where they disagree."""
    sections = rules().metrics.sections
    inner = [value for value in report.values() if isinstance(value, dict)]
    told = {sections[key] for part in (report, *inner) for key in part if key in sections}
    told |= {_problem_of_classes(part) for part in inner if _is_scikit_learn(part)}
    return told.pop() if len(told) == 1 else None


# --- any form


def _walk(way: Way, node: Json, dataset: str | None = None) -> Iterator[Measurement]:
    if way and is_skipped(way[-1]):
        return
    match node:
        case {"threshold": _}:
            return
        case dict() if "value" in node and not isinstance(node["value"], dict):
            yield from _one(way, node["value"], node, dataset)
        case dict() if _is_scikit_learn(node):
            yield from _scikit_learn(way, node)
        case dict():
            for key in sorted(node):
                yield from _walk((*way, key), node[key], dataset)
        case [dict(), *_]:
            for item in _last_steps(node):
                yield from _named(way, item)
        case list():
            if way and is_metric(way):
                epochs = [value for item in node if (value := number(item)) is not None]
                yield from (Measurement(way, value, dataset=dataset) for value in epochs[-1:])
        case _:
            yield from _one(way, node, {}, dataset)


def _one(way: Way, raw: Json, beside: Mapping[str, Json], dataset: str | None) -> Iterator[Measurement]:
    if isinstance(raw, list):
        yield from _walk(way, raw, dataset)
        return
    # A string of digits is a number where a metric's name says so; elsewhere it is an identifier.
    if not way or (isinstance(raw, str) and not (beside or is_metric(way))):
        return
    value = number(raw)
    if value is not None:
        deviation = number(next((beside[key] for key in _DEVIATIONS if key in beside), None))
        named = beside.get("dataset")
        yield Measurement(way, value, deviation, named if isinstance(named, str) else dataset)


_DEVIATIONS = ("standard_deviation", "std", "stddev", "std_dev")


def _named(way: Way, item: Json) -> Iterator[Measurement]:
    """One of a list of `{name, value}`: a model card's metric, Autopilot's `{MetricName, Value, Set}`."""
    if not isinstance(item, dict):
        return
    fields = {snake(key): item[key] for key in sorted(item)}
    name = next((fields[key] for key in _NAMES if key in fields), None)
    if isinstance(name, str) and name and "value" in fields and "threshold" not in fields and not is_skipped(name):
        dataset = fields.get("set") or fields.get("dataset")
        yield from _one((*way, name), fields["value"], fields, dataset if isinstance(dataset, str) else None)


_NAMES = ("standard_metric_name", "metric_name", "name", "metric", "key")


def _last_steps(items: list[Json]) -> list[Json]:
    """Of a history by steps, as MLflow keeps it, each metric's last value: that is the model that was kept."""
    if not any(isinstance(item, dict) and "step" in item and "key" in item for item in items):
        return items
    last: dict[str, tuple[float, float, int]] = {}
    for place, item in enumerate(items):
        if isinstance(item, dict) and isinstance(key := item.get("key"), str):
            at = (number(item.get("step")) or 0.0, number(item.get("timestamp")) or 0.0, place)
            last[key] = max(last.get(key, at), at)
    return [items[place] for _, _, place in last.values()]


# --- scikit-learn


def _is_scikit_learn(node: Mapping[str, Json]) -> bool:
    return any(isinstance(part := node.get(average), dict) and "precision" in part for average in _AVERAGES)


def _scikit_learn(way: Way, report: Mapping[str, Json]) -> Iterator[Measurement]:
    for key, part in report.items():
        if isinstance(part, dict):
            # A class may be labelled "precision" or "accuracy": its numbers stand under `class`.
            root, label = ((*way, key), None) if key in _AVERAGES else ((*way, "class", key), f"class={key}")
            for name, item in part.items():
                yield from (replace(found, slice=label) for found in _walk((*root, name), item))
        else:
            yield from _walk((*way, key), part)


def _problem_of_classes(report: Mapping[str, Json]) -> str:
    classes = sum(isinstance(part, dict) and key not in _AVERAGES for key, part in report.items())
    return "binary_classification" if classes == 2 else "multiclass_classification"


_AVERAGES = ("macro avg", "weighted avg", "micro avg", "samples avg")


# --- Clarify


_CLARIFY_SECTIONS = {"pre_training_bias_metrics", "post_training_bias_metrics", "explanations"}


def _clarify(report: Mapping[str, Json]) -> Iterator[Measurement]:
    for section in ("pre_training_bias_metrics", "post_training_bias_metrics"):
        match report.get(section):
            case {"facets": dict() as facets}:
                for facet, groups in facets.items():
                    for group in groups if isinstance(groups, list) else []:
                        yield from _facet((section.removesuffix("_metrics"), facet), group)


def _facet(way: Way, group: Json) -> Iterator[Measurement]:
    match group:
        case {"metrics": [*metrics], **rest}:
            of_group = str(rest.get("value_or_threshold"))
            for metric in metrics:
                match metric:
                    # Null with an `error`, and the infinite impact of a group that nobody is in, are no values.
                    case {"name": str() as name, "value": raw} if (value := number(raw)) is not None:
                        yield Measurement((*way, of_group, name), value, slice=f"{way[-1]}={of_group}")


# --- Evidently


def _evidently_type(metric: Json) -> str | None:
    match metric:
        case {"config": {"type": str() as kind}} if kind.startswith("evidently:"):
            return kind.rpartition(":")[2]
    return None


def _evidently(metrics: list[Json]) -> Iterator[Measurement]:
    for metric in metrics:
        kind = _evidently_type(metric)
        if kind is None:
            continue
        column = metric["config"].get("column")
        way, part = ((snake(kind), column), f"column={column}") if isinstance(column, str) else ((snake(kind),), None)
        match metric.get("value"):
            case {"mean": mean, **rest} if (value := number(mean)) is not None:
                yield Measurement(way, value, number(rest.get("std")), slice=part)
            case dict() as values:
                by_label = kind.endswith("ByLabel")
                for key, item in values.items():
                    if (value := number(item)) is not None:
                        yield Measurement((*way, key), value, slice=f"label={key}" if by_label else part)
            case raw if (value := number(raw)) is not None:
                yield Measurement(way, value, slice=part)


def _old_evidently_type(metric: Json) -> str | None:
    """Up to version 0.6: `{"metric": "ClassificationQualityMetric", "result": {"current": …, "reference": …}}`."""
    match metric:
        case {"metric": str() as kind, "result": dict()}:
            return kind.removesuffix("Metric")
    return None


def _old_evidently(metrics: list[Json]) -> Iterator[Measurement]:
    for metric in metrics:
        kind = _old_evidently_type(metric)
        if kind is None:
            continue
        result = metric["result"]
        column = result.get("column_name")
        root, part = ((snake(kind), column), f"column={column}") if isinstance(column, str) else ((snake(kind),), None)
        # `reference` is what the model did before, or elsewhere.
        numbers = [(False, result), *((True, result[key]) for key in ("current",) if isinstance(result.get(key), dict))]
        for is_current, items in numbers:
            for key in sorted(items):
                if not is_skipped(key) and (value := _scalar(items[key])) is not None:
                    plain = is_current and part is None and is_metric((key,))
                    yield Measurement((key,) if plain else (*root, key), value, slice=part)


def _scalar(raw: Json) -> float | None:
    return None if isinstance(raw, str) else number(raw)


# --- Model Monitor, data quality


def _data_quality(report: Mapping[str, Json], features: list[Json]) -> Iterator[Measurement]:
    """How much data there was, and how much of it is there; the distributions stay in the report."""
    match report.get("dataset"):
        case {"item_count": count} if (items := number(count)) is not None:
            yield Measurement(("data_quality", "item_count"), items)
    yield Measurement(("data_quality", "feature_count"), float(len(features)))
    present = missing = 0.0
    for feature in features:
        match feature:
            case {"numerical_statistics": {"common": dict() as common}} | {
                "string_statistics": {"common": dict() as common}
            }:
                present += number(common.get("num_present")) or 0.0
                missing += number(common.get("num_missing")) or 0.0
    if present + missing:
        yield Measurement(("data_quality", "completeness"), present / (present + missing))
