"""CEL behind one door. Only a real `true` is true: in this library an error is a *value*, and a truthy one."""

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from cel_expr_python import cel

MAX_LENGTH = 10_000
_MAP = cel.Type.Map(cel.Type.STRING, cel.Type.DYN)
_ENVIRONMENT = cel.NewEnv(variables={"use_case": _MAP, "version": _MAP, "candidacy": _MAP})


class ExpressionInvalid(ValueError):
    """It does not compile."""


class Answer(NamedTuple):
    """What an expression came to: a value, or why there is none."""

    value: Any = None
    error: str | None = None

    @property
    def is_true(self) -> bool:
        return self.error is None and self.value is True


def check(expression: str) -> None:
    """Raises ExpressionInvalid with the reason."""
    _compiled(expression)


def evaluate(expression: str, subject: Mapping[str, Any]) -> Answer:
    """Never raises: what can't be told is an error with its reason, and no hostile expression runs on for long.

    The library bounds iterations and nesting by itself.
    """
    try:
        result = _compiled(expression).eval(data=_plain(subject))
    except ExpressionInvalid as error:
        return Answer(error=str(error))
    except (RuntimeError, TypeError, ValueError, OverflowError) as error:
        return Answer(error=_said(str(error)))
    if result.type() == cel.Type.ERROR:
        return Answer(error=_said(str(result.value())))
    return Answer(value=result.plain_value())


@lru_cache(maxsize=1024)
def _compiled(expression: str) -> Any:
    if len(expression) > MAX_LENGTH:
        raise ExpressionInvalid(f"longer than {MAX_LENGTH} characters")
    try:
        return _ENVIRONMENT.compile(expression)
    except RuntimeError as error:
        raise ExpressionInvalid(_said(str(error))) from error


def _said(message: str) -> str:
    """The library's words in ours."""
    missing = message.partition('Key not found in map : "')[2]
    if missing:
        return f"{missing.rstrip().rstrip(chr(34))} is not known"
    return " ".join(message.replace("INVALID_ARGUMENT: ERROR: <input>:", "").split())[:500]


def _plain(value: Any) -> Any:
    """What CEL takes: NaN and infinity are not numbers that anything could be compared with, so they are left out."""
    match value:
        case Mapping():
            return {str(key): _plain(inner) for key, inner in value.items() if not _is_no_number(inner)}
        case list() | tuple():
            return [_plain(inner) for inner in value if not _is_no_number(inner)]
    return value


def _is_no_number(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)
