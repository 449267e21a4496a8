"""What a check looked at: the values that its expression names, what they are held against, where they come from."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from assent_common.events.governance import Seen

MAX_SEEN = 20
MAX_TEXT = 200
_ABSENT = object()
_STEP = r"""(?:\.\w+|\[\s*(?:"[^"]*"|'[^']*')\s*\])"""
_NAME = re.compile(rf"(?<![\w.\"'])(?:use_case|model|version|champion|step){_STEP}+(?!\w|\()")
_STEPS = re.compile(r"""\.(\w+)|\[\s*["']([^"']*)["']\s*\]""")
_NUMBER = r"-?\d+(?:\.\d+)?(?:[eE]-?\d+)?"
_THRESHOLD = re.compile(rf"\s*(>=|<=|==|!=|>|<)\s*({_NUMBER})\b(?!\s*[-+*/%])")
# `0.8 <= version.metrics.accuracy` says the same. What comes before the number, or after the name, may make it another.
_TURNED = re.compile(rf"(?:^|[(,?:{{\[]|&&|\|\|)\s*({_NUMBER})\s*(>=|<=|==|!=|>|<)\s*$")
_GOES_ON = re.compile(r"\s*[-+*/%]")
_TURN = {">=": "<=", "<=": ">=", ">": "<", "<": ">"}


def seen(expression: str, facts: Mapping[str, Any]) -> tuple[Seen, ...]:
    """In the order in which the expression names them, each once; what is not known is left out."""
    found: dict[str, Seen] = {}
    for match in _NAME.finditer(expression):
        steps = [dotted or quoted for dotted, quoted in _STEPS.findall(match[0])]
        root = match[0][: re.search(r"[.\[]", match[0]).start()]  # type: ignore[union-attr]
        value = _at(facts.get(root), steps)
        name = ".".join([root, *steps])
        if value is _ABSENT or name in found:
            continue
        report, digest = _report(facts.get(root), steps)
        found[name] = Seen(
            name=name,
            value=_short(value),
            threshold=_threshold(expression, match),
            report=report,
            digest=digest,
        )
    return tuple(found.values())[:MAX_SEEN]


def _threshold(expression: str, name: re.Match[str]) -> str | None:
    if (after := _THRESHOLD.match(expression, name.end())) is not None:
        return f"{after[1]} {after[2]}"
    before = _TURNED.search(expression[: name.start()])
    if before is None or _GOES_ON.match(expression, name.end()):
        return None
    return f"{_TURN.get(before[2], before[2])} {before[1]}"


def _at(value: Any, steps: list[str]) -> Any:
    for step in steps:
        if not isinstance(value, Mapping) or step not in value:
            return _ABSENT
        value = value[step]
    return value


def _report(version: Any, steps: list[str]) -> tuple[str | None, str | None]:
    """The file that a metric was read from, and the digest of what was read."""
    if len(steps) != 2 or steps[0] != "metrics":
        return None, None
    uri = version.get("measured", {}).get(steps[1], {}).get("report")
    digests = (report.get("digest") for report in _reports(version) if report.get("uri") == uri)
    return uri, next(digests, None) if uri else None


def _reports(version: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from version.get("reports") or []


def _short(value: Any) -> Any:
    """Numbers and truth as they are; of what is large, its beginning."""
    if value is None or isinstance(value, bool | int | float):
        return value
    text = value if isinstance(value, str) else str(value)
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
