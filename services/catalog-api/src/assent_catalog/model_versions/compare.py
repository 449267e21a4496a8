"""Two states side by side: of one version at two moments, or of two versions of a model, champion and challenger.

Plain values: nothing here reads or writes anything.
"""

from collections.abc import Mapping
from typing import Any, Literal

from assent_common.content import Change, diff
from assent_common.events.registry import Better, Metric
from pydantic import BaseModel

Side = Literal["left", "right"]

#: What tells the two apart in any case, or is said in `metrics`.
_NOT_COMPARED = frozenset({"urn", "source", "content", "content_hash", "metrics", "raw"})


class MetricDifference(BaseModel):
    """One metric on both sides."""

    name: str
    left: float | None
    right: float | None
    #: Right less left; null where one side lacks it.
    difference: float | None
    #: The side that is better; null where they are equal, one lacks it, or the direction is not known.
    better: Side | None


class Comparison(BaseModel):
    """What differs from the left side to the right."""

    #: Whether what an acceptance is bound to is the same.
    same_content: bool
    changes: list[Change]
    #: All metrics of either side, by name.
    metrics: list[MetricDifference]


def compare(left: Mapping[str, Any], right: Mapping[str, Any]) -> Comparison:
    """Of two records as they were observed."""
    return Comparison(
        same_content=left.get("content_hash") == right.get("content_hash"),
        changes=diff(_compared(left), _compared(right)),
        metrics=[
            _difference(name, _metric(left, name), _metric(right, name))
            for name in sorted({**(left.get("metrics") or {}), **(right.get("metrics") or {})})
        ],
    )


def _compared(record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in _NOT_COMPARED}


def _metric(record: Mapping[str, Any], name: str) -> Metric | None:
    metric = (record.get("metrics") or {}).get(name)
    return Metric.model_validate(metric) if metric is not None else None


def _difference(name: str, left: Metric | None, right: Metric | None) -> MetricDifference:
    if left is None or right is None:
        values = [metric.value if metric else None for metric in (left, right)]
        return MetricDifference(name=name, left=values[0], right=values[1], difference=None, better=None)
    difference = right.value - left.value
    direction = right.better or left.better
    better: Side | None = None
    if direction is not None and difference:
        better = "right" if (difference > 0) is (direction is Better.HIGHER) else "left"
    return MetricDifference(name=name, left=left.value, right=right.value, difference=difference, better=better)
