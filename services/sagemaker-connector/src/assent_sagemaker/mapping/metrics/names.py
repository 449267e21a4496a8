"""Measurements to metrics by canonical names: `precision` whether the report says precision, weighted_precision or
`macro avg`. The names are data, in `mapping.yaml`; a metric under another name than the report's keeps that one too.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from assent_common.events.registry import Better, Metric

from assent_sagemaker.mapping.rules import rules, snake, squash

if TYPE_CHECKING:
    from assent_sagemaker.mapping.metrics.shapes import Measurement

Way = tuple[str, ...]

MAX_NAME = 200


def canonical(measurements: Iterable[Measurement]) -> dict[str, Metric]:
    """The metrics by name. Does not depend on the order of the measurements."""
    best: dict[str, Metric] = {}
    others: dict[str, Metric] = {}
    known = [(measurement, _recognise(measurement.way, measurement.dataset)) for measurement in measurements]
    for measurement, recognised in sorted(known, key=_by_rank):
        if recognised.name and recognised.name not in best:
            best[recognised.name] = _metric(recognised.name, measurement, recognised)
        else:
            own_name = recognised.own_name
            if own_name == recognised.name:
                own_name = ".".join(map(snake, measurement.way))[:MAX_NAME]
            others.setdefault(own_name, _metric(own_name, measurement, recognised))
    return others | best


def known_name(word: str) -> str | None:
    """The canonical name of a word that stands alone; none for one that names no metric."""
    if is_skipped(word):
        return None
    return _recognise((word,), None).name


def is_metric(way: Way) -> bool:
    """Whether the way ends in a metric that Assent has a name for, train metrics included."""
    _, rest = _dataset(_unwrapped(way))
    return _joined(rest) in rules().metrics.synonyms


def is_skipped(key: str) -> bool:
    return rules().metrics.no_measurement.fullmatch(snake(key)) is not None


def squashed(way: Way) -> str:
    """By what a constraint and the metric that it is for find each other, whatever sections they stand in."""
    return _joined(_unwrapped(way))


class _Recognised(NamedTuple):
    #: The canonical name; none where there is none.
    name: str | None
    own_name: str
    #: As the report has it.
    source_name: str
    dataset: str | None
    #: Which of several measurements of one metric it should be: the smallest.
    rank: tuple[int, int]
    better: Better | None


def _by_rank(known: tuple[Measurement, _Recognised]) -> tuple[tuple[int, int], int, Way, float]:
    measurement, recognised = known
    return recognised.rank, len(measurement.way), measurement.way, measurement.value


def _recognise(way: Way, told: str | None) -> _Recognised:
    """The same few hundred come with every report; long ones come once, and are not kept."""
    recognise = _recognised if sum(map(len, way)) > _A_WAY else _remembered
    return recognise(rules().metrics.digest, way, told)


def _recognised(_: str, way: Way, told: str | None) -> _Recognised:
    """By the rules of this digest, which are those of now."""
    table = rules().metrics
    order = list(table.datasets)
    unwrapped = _unwrapped(way)
    found, rest = _dataset(unwrapped)
    dataset = table.dataset_words.get(squash(told)) if told else found
    name, synonym = table.synonyms.get(_joined(rest), (None, 0))
    better = table.directions.get(name or snake(rest[-1]))
    own_name = ".".join(map(snake, unwrapped))[:MAX_NAME] or "unnamed"
    if dataset == "train":
        # A number from training must not pass a check that asks for `accuracy`.
        name, own_name = None, own_name if found else f"train_{own_name}"
    rank = (order.index(dataset) if dataset else -1, synonym)
    return _Recognised(name, own_name, ".".join(unwrapped)[:MAX_NAME], dataset or told, rank, better)


_A_WAY = 200
_remembered = lru_cache(4096)(_recognised)


def _metric(name: str, measurement: Measurement, recognised: _Recognised) -> Metric:
    source_name = recognised.source_name
    return Metric(
        value=measurement.value,
        standard_deviation=measurement.standard_deviation,
        dataset=recognised.dataset,
        slice=measurement.slice,
        source_name=source_name if source_name != name else None,
        # The last word of a slice's name is a column's or a label's, perhaps: it does not say what was measured.
        better=None if measurement.slice else recognised.better,
    )


def _unwrapped(way: Way) -> Way:
    """Without the segments that say nothing; the last one always stays."""
    return (*(key for key in way[:-1] if snake(key) not in rules().metrics.wrappers), *way[-1:])


def _dataset(way: Way) -> tuple[str | None, Way]:
    """On which data it was measured, by the first segment or its prefix (`test`, `eval_`, `validation:`)."""
    first, *rest = way
    words = rules().metrics.dataset_words
    if rest and squash(first) in words:
        return words[squash(first)], tuple(rest)
    prefix, _, remainder = snake(first).partition("_")
    if remainder and prefix in words:
        return words[prefix], (remainder, *rest)
    return None, way


def _joined(way: Way) -> str:
    return ".".join(map(squash, way))
