"""A policy's YAML to a policy, with line and column for every fault."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import yaml
from pydantic import ValidationError

from assent_workflow.policies import cel
from assent_workflow.policies.model import Policy

MAX_LENGTH = 100_000
MAX_DEPTH = 10

Way = tuple[int | str, ...]


class Fault(NamedTuple):
    """What is wrong, and where; lines and columns count from 1."""

    line: int
    column: int
    what: str

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}: {self.what}"


class PolicyInvalid(ValueError):
    """The text is no policy."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(map(str, faults)))
        self.faults = tuple(faults)


@lru_cache(maxsize=256)
def parse(text: str) -> Policy:
    """The same text is read once: what judges a thousand candidacies does not parse its policy a thousand times.

    Raises PolicyInvalid with all faults of the first kind found: YAML, then fields, then expressions.
    """
    if len(text) > MAX_LENGTH:
        raise PolicyInvalid([Fault(1, 1, f"longer than {MAX_LENGTH} characters")])
    marks: dict[Way, yaml.Mark] = {}
    try:
        document = _read(text, marks)
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        column = error.position - (before.rfind("\n") + 1) + 1
        raise PolicyInvalid([Fault(before.count("\n") + 1, column, "a character that YAML does not take")]) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise PolicyInvalid([_fault(mark, error.problem or "not YAML")]) from error
    try:
        policy = Policy.model_validate(document)
    except ValidationError as error:
        raise PolicyInvalid([_at(marks, fault["loc"], fault["msg"]) for fault in error.errors()]) from error
    if faults := list(_expression_faults(policy, marks)):
        raise PolicyInvalid(faults)
    return policy


class _Loader(yaml.SafeLoader):
    """Without anchors, which blow up, tags, which mean something, and depth, which runs out of stack."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise yaml.MarkedYAMLError(problem="anchors and aliases are not taken", problem_mark=event.start_mark)
        if getattr(event, "tag", None) is not None:
            raise yaml.MarkedYAMLError(problem="tags are not taken", problem_mark=event.start_mark)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise yaml.MarkedYAMLError(problem=f"nested more than {MAX_DEPTH} deep", problem_mark=event.start_mark)
        node: yaml.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        return node


def _read(text: str, marks: dict[Way, yaml.Mark]) -> Any:
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        return None if node is None else _value(loader, node, (), marks)
    finally:
        loader.dispose()


def _value(loader: _Loader, node: yaml.Node, way: Way, marks: dict[Way, yaml.Mark]) -> Any:
    marks[way] = node.start_mark
    match node:
        case yaml.MappingNode():
            members: dict[str, Any] = {}
            for key_node, value_node in node.value:
                key = key_node.value
                if not isinstance(key_node, yaml.ScalarNode) or key_node.tag != "tag:yaml.org,2002:str":
                    raise yaml.MarkedYAMLError(problem="a key is a word", problem_mark=key_node.start_mark)
                if key in members:
                    raise yaml.MarkedYAMLError(problem=f"{key} is there twice", problem_mark=key_node.start_mark)
                members[key] = _value(loader, value_node, (*way, key), marks)
                # A key that is not known is at fault itself, not its value.
                marks[*way, key, "[key]"] = key_node.start_mark
            return members
        case yaml.SequenceNode():
            return [_value(loader, item, (*way, number), marks) for number, item in enumerate(node.value)]
    return _scalar(loader, node)


def _scalar(loader: _Loader, node: yaml.Node) -> Any:
    try:
        return loader.construct_object(node)
    except ValueError as error:
        raise yaml.MarkedYAMLError(problem="a value that cannot be read", problem_mark=node.start_mark) from error


def _expression_faults(policy: Policy, marks: dict[Way, yaml.Mark]) -> Iterator[Fault]:
    for way, expression, condition in _expressions(policy):
        if expression is not None:
            try:
                cel.check(expression, condition=condition)
            except cel.ExpressionInvalid as error:
                yield _at(marks, way, str(error))


def _expressions(policy: Policy) -> Iterator[tuple[Way, str | None, bool]]:
    yield ("applies_to",), policy.applies_to, True
    for number, check in enumerate(policy.checks):
        yield ("checks", number, "expression"), check.expression, True
        yield ("checks", number, "otherwise"), check.otherwise, False
    for number, stage in enumerate(policy.stages):
        yield ("stages", number, "when"), stage.when, True
        for inner, approval in enumerate(stage.approvals):
            yield ("stages", number, "approvals", inner, "when"), approval.when, True


def _at(marks: dict[Way, yaml.Mark], way: Way, what: str) -> Fault:
    """Where it stands; for what is missing, where its owner does."""
    named = ".".join(map(str, way)) or "the policy"
    if what == "Extra inputs are not permitted":
        return _fault(marks.get((*way, "[key]")), f"{named} is not known")
    near = way
    while near and near not in marks:
        near = near[:-1]
    return _fault(marks.get(near), f"{named}: {what}")


def _fault(mark: yaml.Mark | None, what: str) -> Fault:
    return Fault(mark.line + 1, mark.column + 1, what) if mark else Fault(1, 1, what)
