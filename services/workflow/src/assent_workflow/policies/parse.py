"""A policy's YAML to a policy, with line and column for every fault."""

import re
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import yaml
from pydantic import ValidationError

from assent_workflow.policies import cel
from assent_workflow.policies.model import Policy

MAX_BYTES = 100_000
_DURATION = re.compile(r"^(\d+)([smhdw])$")
_ISO = {"s": "PT{}S", "m": "PT{}M", "h": "PT{}H", "d": "P{}D", "w": "P{}W"}


class PolicyInvalid(ValueError):
    """The text is no policy; `faults` say where and why, one a line."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = list(faults)


def parse(text: str) -> Policy:
    """Raises PolicyInvalid with all faults of the first kind found: YAML, then fields, then expressions."""
    if len(text.encode()) > MAX_BYTES:
        raise PolicyInvalid([f"longer than {MAX_BYTES} bytes"])
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        document = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise PolicyInvalid([f"{_at(mark)}{error.problem}"]) from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise PolicyInvalid([f"not YAML: {error}"]) from error
    try:
        policy = Policy.model_validate(_with_durations(document))
    except ValidationError as error:
        raise PolicyInvalid(
            [f"{_at(_mark(node, fault['loc']))}{_way(fault['loc'])}: {fault['msg']}" for fault in error.errors()]
        ) from error
    if faults := list(_expression_faults(policy, node)):
        raise PolicyInvalid(faults)
    return policy


def default_text() -> str:
    return (files("assent_workflow.policies") / "default.yaml").read_text(encoding="utf-8")


def _expression_faults(policy: Policy, node: yaml.Node | None) -> list[str]:
    places: list[tuple[tuple[int | str, ...], str | None]] = [(("applies_to",), policy.applies_to)]
    for number, check in enumerate(policy.checks):
        places += [(("checks", number, "expression"), check.expression), (("checks", number, "seen"), check.seen)]
    for number, stage in enumerate(policy.stages):
        for inner, approval in enumerate(stage.approvals):
            places.append((("stages", number, "approvals", inner, "when"), approval.when))
    faults = []
    for way, expression in places:
        if expression is not None:
            try:
                cel.check(expression)
            except cel.ExpressionInvalid as error:
                faults.append(f"{_at(_mark(node, way))}{_way(way)}: {error}")
    return faults


def _with_durations(value: Any) -> Any:
    """`14d` as ISO 8601, which pydantic reads."""
    match value:
        case dict():
            return {
                key: _iso(inner) if key in {"due_in", "valid_for"} else _with_durations(inner)
                for key, inner in value.items()
            }
        case list():
            return [_with_durations(inner) for inner in value]
    return value


def _iso(value: Any) -> Any:
    found = _DURATION.match(value) if isinstance(value, str) else None
    return _ISO[found[2]].format(found[1]) if found else value


def _mark(node: yaml.Node | None, way: Sequence[int | str]) -> yaml.Mark | None:
    """Where the value stands; for one that is missing, where its owner does."""
    for step in way:
        inner: yaml.Node | None = None
        if isinstance(node, yaml.MappingNode):
            inner = next((value for key, value in node.value if key.value == step), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            inner = node.value[step]
        if inner is None:
            break
        node = inner
    return node.start_mark if node is not None else None


def _at(mark: yaml.Mark | None) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""


def _way(way: Sequence[int | str]) -> str:
    return ".".join(map(str, way)) or "policy"
