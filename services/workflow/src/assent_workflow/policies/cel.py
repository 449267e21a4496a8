"""CEL behind one door. Only a real `true` is true: in this library an error is a *value*, and a truthy one."""

import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from cel_expr_python import cel

from assent_workflow.policies.model import MAX_EXPRESSION_LENGTH

# The library bounds iterations and nesting, but not how long a text grows: `map(a, a + a)` doubles it each time.
MAX_MAPS = 2
_MAP_MACRO = re.compile(r"\bmap\b")
_MISSING = re.compile(r'Key not found in map : "(.*)"', re.DOTALL)
_VALUE = cel.Type.Map(cel.Type.STRING, cel.Type.DYN)
_KNOWN = ("use_case", "model", "version", "champion", "candidacy", "step")
_NAMES = "use_case, model, version, champion, and step where it is about one"
_ENVIRONMENT = cel.NewEnv(variables=dict.fromkeys(_KNOWN, _VALUE))
_PLACE = re.compile(r"^(?:[A-Z_]+: )?(?:ERROR: <input>:(?P<line>\d+):(?P<column>\d+): )?")
_INT64 = 2**63


class ExpressionInvalid(ValueError):
    """It does not compile, or asks for more than is given."""


class Answer(NamedTuple):
    """What an expression came to: a value, or why there is none."""

    value: Any = None
    error: str | None = None
    #: The key that was asked for and is not there, where that is the error.
    missing: str | None = None

    @property
    def is_true(self) -> bool:
        return self.error is None and self.value is True


def check(expression: str, *, condition: bool = True) -> None:
    """Raises ExpressionInvalid naming the expression: also for a condition that can never be true or false."""
    compiled = _compiled(expression)
    if condition and compiled.return_type() not in (cel.Type.BOOL, cel.Type.DYN):
        raise ExpressionInvalid(f"{_shown(expression)} gives {compiled.return_type().name()}, not true or false")


def evaluate(expression: str, subject: Mapping[str, Any]) -> Answer:
    """Never raises: what cannot be told is an error with its reason, and no hostile expression runs on for long."""
    try:
        result = _compiled(expression).eval(data=_plain(subject))
    except (RuntimeError, TypeError, ValueError, OverflowError) as error:
        return Answer(error=_said(str(error)))
    if result.type() == cel.Type.ERROR:
        missing = _MISSING.search(str(result.value()))
        if missing:
            return Answer(error=f"{missing[1][:200]} is not known", missing=missing[1])
        return Answer(error=_said(str(result.value())))
    return Answer(value=result.plain_value())


@lru_cache(maxsize=1024)
def _compiled(expression: str) -> Any:
    if len(expression) > MAX_EXPRESSION_LENGTH:
        raise ExpressionInvalid(f"{_shown(expression)} is longer than {MAX_EXPRESSION_LENGTH} characters")
    if len(_MAP_MACRO.findall(expression)) > MAX_MAPS:
        raise ExpressionInvalid(f"{_shown(expression)} maps more than {MAX_MAPS} times")
    try:
        return _ENVIRONMENT.compile(expression)
    except RuntimeError as error:
        raise ExpressionInvalid(f"{_shown(expression)}: {_said(str(error))}") from error


def _shown(expression: str) -> str:
    return f"`{expression[:80]}{'…' if len(expression) > 80 else ''}`"


def _said(message: str) -> str:
    """The library's first line, without its status codes and its drawing of the place, which is told in words."""
    message = message.partition("\n")[0]
    place = _PLACE.match(message)
    message = _PLACE.sub("", message)
    message = re.sub(r" \[[A-Z_]+\]$", "", message).replace(" (in container '')", f"; there are {_NAMES}")[:500]
    if place is None or place["line"] is None:
        return message
    line = f"line {place['line']}, " if place["line"] != "1" else ""
    return f"{message} ({line}character {place['column']})"


def _plain(value: Any) -> Any:
    """What CEL takes. NaN and infinity can be compared with nothing, so they are left out, as not known."""
    match value:
        case Mapping():
            return {str(key): _plain(inner) for key, inner in value.items() if not _is_no_number(inner)}
        case list() | tuple():
            return [_plain(inner) for inner in value if not _is_no_number(inner)]
        case int() if not -_INT64 <= value < _INT64:
            return float(value)
    return value


def _is_no_number(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)
