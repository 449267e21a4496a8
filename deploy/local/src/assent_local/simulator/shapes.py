"""Requests and answers held against botocore's own service model, compiled once per shape.

botocore's ParamValidator leaves out enumerations, maxima and patterns, which SageMaker checks; so this does.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import botocore.session
import regex  # type: ignore[import-untyped]  # patterns name Unicode classes, which re does not know

Check = Callable[[Any, str], None]

#: Required by the model, and yet not in what SageMaker answers for a versioned package.
_REALLY_ABSENT = {("DescribeModelPackageOutput", "ModelPackageName")}


class Mismatch(ValueError):
    """A value that its shape does not allow."""


@cache
def shapes_of(service: str) -> "Shapes":
    """Read once a process: SageMaker's model is large."""
    return Shapes(service)


class Shapes:
    """One service's shapes, as checks of documents in wire form: timestamps are epoch seconds."""

    def __init__(self, service: str) -> None:
        self._model = botocore.session.get_session().get_service_model(service)
        self._compiled: dict[str, Check] = {}

    @cache  # noqa: B019 - one instance a service, for the life of the process
    def input(self, operation: str) -> Check:
        return self._check(self._model.operation_model(operation).input_shape)

    @cache  # noqa: B019
    def output(self, operation: str) -> Check:
        return self._check(self._model.operation_model(operation).output_shape)

    @cache  # noqa: B019
    def named(self, shape: str) -> Check:
        return self._check(self._model.shape_for(shape))

    @cache  # noqa: B019
    def members(self, shape: str) -> Mapping[str, Any]:
        members: Mapping[str, Any] = self._model.shape_for(shape).members
        return members

    def _check(self, shape: Any) -> Check:
        if shape is None:
            return _empty
        if shape.name not in self._compiled:
            # SearchExpression holds SearchExpressions: a late look-up stands in while the shape is being compiled.
            self._compiled[shape.name] = lambda value, path: self._compiled[shape.name](value, path)
            self._compiled[shape.name] = self._compile(shape)
        return self._compiled[shape.name]

    def _compile(self, shape: Any) -> Check:
        match shape.type_name:
            case "structure":
                return _structure(shape, {name: self._check(member) for name, member in shape.members.items()})
            case "list":
                return _list(shape, self._check(shape.member))
            case "map":
                return _map(shape, self._check(shape.key), self._check(shape.value))
            case "string" | "blob":
                return _string(shape)
            case "boolean":
                return _boolean
            case "integer" | "long":
                return _number(shape, int)
            case _:
                return _number(shape, (int, float))


def _empty(value: Any, path: str) -> None:
    if value:
        raise Mismatch(f"Value at '{path}' failed to satisfy constraint: Member must be empty")


def _structure(shape: Any, members: dict[str, Check]) -> Check:
    required = frozenset(name for name in shape.required_members if (shape.name, name) not in _REALLY_ABSENT)

    def check(value: Any, path: str) -> None:
        if not isinstance(value, Mapping):
            raise _mismatch(value, path, "Member must be a structure")
        for name in required:
            if value.get(name) is None:
                raise _mismatch(None, f"{path}.{name}", "Member must not be null")
        for name, member in value.items():
            known = members.get(name)
            if known is None:
                raise _mismatch(member, f"{path}.{name}", "Member must be known")
            known(member, f"{path}.{name}")

    return check


def _list(shape: Any, item: Check) -> Check:
    within = _limits(shape, "length")

    def check(value: Any, path: str) -> None:
        if not isinstance(value, list):
            raise _mismatch(value, path, "Member must be a list")
        within(len(value), value, path)
        for number, element in enumerate(value, 1):
            item(element, f"{path}.{number}.member")

    return check


def _map(shape: Any, key: Check, item: Check) -> Check:
    within = _limits(shape, "length")

    def check(value: Any, path: str) -> None:
        if not isinstance(value, Mapping):
            raise _mismatch(value, path, "Member must be a map")
        within(len(value), value, path)
        for name, element in value.items():
            key(name, f"{path}.key")
            item(element, f"{path}.{name}.member")

    return check


def _string(shape: Any) -> Check:
    within = _limits(shape, "length")
    allowed = frozenset(shape.metadata.get("enum", ()))
    pattern = shape.metadata.get("pattern")
    compiled = regex.compile(pattern) if pattern and pattern != ".*" else None
    one_line = pattern == ".*"

    def check(value: Any, path: str) -> None:
        if not isinstance(value, str):
            raise _mismatch(value, path, "Member must be a string")
        within(len(value), value, path)
        if allowed and value not in allowed:
            raise _mismatch(value, path, f"Member must satisfy enum value set: [{', '.join(sorted(allowed))}]")
        if (one_line and "\n" in value) or (compiled and not compiled.fullmatch(value)):
            raise _mismatch(value, path, f"Member must satisfy regular expression pattern: {pattern}")

    return check


def _boolean(value: Any, path: str) -> None:
    if not isinstance(value, bool):
        raise _mismatch(value, path, "Member must be a boolean")


def _number(shape: Any, kind: type[int] | tuple[type[int], type[float]]) -> Check:
    within = _limits(shape, "value")

    def check(value: Any, path: str) -> None:
        if not isinstance(value, kind) or isinstance(value, bool):
            raise _mismatch(value, path, f"Member must be a {shape.type_name}")
        within(value, value, path)

    return check


def _limits(shape: Any, what: str) -> Callable[[float, Any, str], None]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")

    def within(size: float, value: Any, path: str) -> None:
        if low is not None and size < low:
            raise _mismatch(value, path, f"Member must have {what} greater than or equal to {low}")
        if high is not None and size > high:
            raise _mismatch(value, path, f"Member must have {what} less than or equal to {high}")

    return within


def _mismatch(value: Any, path: str, constraint: str) -> Mismatch:
    field = path.lstrip(".")
    field = field[:1].lower() + field[1:]
    return Mismatch(
        f"1 validation error detected: Value '{str(value)[:200]}' at '{field}' "
        f"failed to satisfy constraint: {constraint}"
    )
