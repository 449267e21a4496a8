"""Constraints: what Model Monitor holds each metric against, and in which direction the metric gets better.

`{"binary_classification_constraints": {"recall": {"threshold": 0.78, "comparison_operator": "LessThanThreshold"}}}`:
the operator says when the constraint is *violated*, so that of this recall more is better.
"""

from collections.abc import Mapping
from typing import Any

from assent_common.events.model import Json, Payload
from assent_common.events.registry import Better

from assent_sagemaker.mapping.metrics.names import squashed
from assent_sagemaker.mapping.metrics.numbers import number
from assent_sagemaker.mapping.rules import squash

MAX_LIMITS = 200

_VIOLATED_BY: Mapping[str, Better] = {
    squash(operator): better
    for better, operators in {
        Better.HIGHER: ("LessThanThreshold", "LessThanOrEqualToThreshold"),
        Better.LOWER: ("GreaterThanThreshold", "GreaterThanOrEqualToThreshold"),
    }.items()
    for operator in operators
}


class Limit(Payload):
    threshold: float | None = None
    better: Better | None = None


def limits(document: Mapping[str, Json]) -> dict[str, Limit]:
    """By the squashed name of the metric; those without threshold and direction are none."""
    found = {}
    for section in sorted(document):
        constraints = document[section]
        if section.endswith("_constraints") and isinstance(constraints, dict):
            for name in sorted(constraints)[:MAX_LIMITS]:
                limit = _limit(constraints[name])
                if limit.threshold is not None or limit.better is not None:
                    found[squashed((name,))] = limit
    return found


def _limit(constraint: Any) -> Limit:
    match constraint:
        case {"threshold": threshold, **rest}:
            operator = rest.get("comparison_operator")
            better = _VIOLATED_BY.get(squash(operator)) if isinstance(operator, str) else None
            return Limit(threshold=number(threshold), better=better)
    return Limit()
