"""What one version of a policy says otherwise than another, place by place and in words. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from assent_common.content import Change, diff
from pydantic import TypeAdapter

from assent_workflow.policies.model import Policy

_DURATIONS = frozenset({"due_in", "remind_before", "valid_for", "timeout"})
_SPANS = TypeAdapter(timedelta)
#: What says which version it is, rather than what the version says.
_NAMING = {"name", "version"}


class Kind(StrEnum):
    CHECK = "check"
    STAGE = "stage"
    APPROVAL = "approval"
    #: Of the policy as a whole: how long an acceptance holds, what a change of content does.
    RULE = "rule"


class Difference(NamedTuple):
    kind: Kind
    #: The way to it: `stages.law.approvals.legal.due_in`.
    part: str
    before: Any
    after: Any
    words: str


def differences(before: Policy, after: Policy) -> list[Difference]:
    """Checks, stages and approvals are told apart by their names and roles, wherever in the text they stand."""
    found = [_said(change) for change in diff(_tree(before), _tree(after))]
    found += _reordered("stages", [stage.name for stage in before.stages], [stage.name for stage in after.stages])
    order = list(Kind)
    return sorted(found, key=lambda each: (order.index(each.kind), each.part))


def _tree(policy: Policy) -> dict[str, Any]:
    tree = policy.model_dump(mode="json", exclude=_NAMING)
    tree["checks"] = _named(tree["checks"], "name")
    tree["stages"] = _named(tree["stages"], "name")
    for stage in tree["stages"].values():
        stage["approvals"] = _named(stage["approvals"], "role")
    return tree


def _named(items: Iterable[dict[str, Any]], by: str) -> dict[str, Any]:
    return {item.pop(by): item for item in items}


def _reordered(part: str, before: Sequence[str], after: Sequence[str]) -> Iterator[Difference]:
    then, now = [name for name in before if name in after], [name for name in after if name in before]
    if then != now:
        words = f"the {part} follow one another as {', '.join(now)}; before, as {', '.join(then)}"
        yield Difference(Kind.STAGE, part, list(before), list(after), words)


def _said(change: Change) -> Difference:
    way, before, after = change.part.split("."), change.before, change.after
    match way:
        case ["checks", name]:
            about = after if before is None else before
            words = f"the check {name} is {_new_or_gone(before)}: {about['description']}"
            return Difference(Kind.CHECK, change.part, before, after, words)
        case ["checks", name, *rest]:
            return Difference(Kind.CHECK, change.part, before, after, f"the check {name}: {_changed(rest, change)}")
        case ["stages", name]:
            about = after if before is None else before
            roles = ", ".join(about["approvals"])
            words = f"the stage {name}, which asks {roles}, is {_new_or_gone(before)}"
            return Difference(Kind.STAGE, change.part, before, after, words)
        case ["stages", name, "approvals", role]:
            words = (
                f"the stage {name} asks {role}, too, within {_long(after['due_in'])}"
                if before is None
                else f"the stage {name} asks {role} no more"
            )
            return Difference(Kind.APPROVAL, change.part, before, after, words)
        case ["stages", name, "approvals", role, *rest]:
            words = f"the stage {name}, {role}: {_changed(rest, change)}"
            return Difference(Kind.APPROVAL, change.part, before, after, words)
        case ["stages", name, *rest]:
            return Difference(Kind.STAGE, change.part, before, after, f"the stage {name}: {_changed(rest, change)}")
    return Difference(Kind.RULE, change.part, before, after, _changed(way, change))


def _new_or_gone(before: Any) -> str:
    return "new" if before is None else "gone"


def _changed(way: Sequence[str], change: Change) -> str:
    name = ".".join(way)
    return f"{name} is {_shown(way, change.after)}; before, {_shown(way, change.before)}"


def _shown(way: Sequence[str], value: Any) -> str:
    match value:
        case None:
            return "not set"
        case bool():
            return "yes" if value else "no"
        case str() if way[-1] in _DURATIONS:
            return _long(value)
        case []:
            return "nobody" if way[-1] in ("substitutes", "by") else "none"
        case list():
            return ", ".join(map(str, value))
        case Mapping():
            return ", ".join(f"{key} {_shown([*way, key], inner)}" for key, inner in value.items() if inner is not None)
    return str(value)


def _long(iso: str) -> str:
    """`P14D` as people say it."""
    span = _SPANS.validate_python(iso)
    hours, seconds = divmod(span.seconds, 3600)
    parts = [(span.days, "day"), (hours, "hour"), (seconds // 60, "minute"), (seconds % 60, "second")]
    said = [f"{number} {unit}{'' if number == 1 else 's'}" for number, unit in parts if number]
    return " ".join(said) or "no time"
