"""Filters as people write them, parsed before they come near a statement."""

import operator
import re
from collections.abc import Callable
from typing import NamedTuple

from assent_common.http.problems import BadRequest, FieldError

_METRIC = re.compile(
    r"^\s*(?P<name>[A-Za-z_][\w.\- ]{0,99}?)\s*(?P<operator>>=|<=|=|>|<)\s*"
    r"(?P<value>[-+]?\d+(\.\d+)?([eE][-+]?\d+)?)\s*$"
)
OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "=": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}


class MetricFilter(NamedTuple):
    """`accuracy>=0.9`."""

    name: str
    operator: str
    value: float


def metric(text: str) -> MetricFilter:
    """Raises BadRequest that shows how one is written."""
    found = _METRIC.match(text)
    if found is None or not abs(float(found["value"])) < float("inf"):
        detail = "write a metric filter as name, one of >= <= = > <, and a number: accuracy>=0.9"
        raise BadRequest(detail, errors=[FieldError(pointer="?metric", code="metric_filter", detail=detail)])
    return MetricFilter(found["name"], found["operator"], float(found["value"]))
