"""YAML to a model, with line and column for every fault."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

MAX_LENGTH = 100_000
MAX_DEPTH = 10

Way = tuple[int | str, ...]
Marks = Mapping[Way, yaml.Mark]
M = TypeVar("M", bound=BaseModel)


class Fault(NamedTuple):
    """What is wrong, and where; lines and columns count from 1."""

    line: int
    column: int
    what: str

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}: {self.what}"


class TextInvalid(ValueError):
    """The text is not what it is meant to be."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(map(str, faults)))
        self.faults = tuple(faults)


def _none(_: Any, __: Marks) -> Iterable[Fault]:
    return ()


def parse_as(
    model: type[M],
    text: str,
    *,
    refused: type[TextInvalid] = TextInvalid,
    faults_of: Callable[[M, Marks], Iterable[Fault]] = _none,
) -> M:
    """Raises `refused` with all faults of the first kind found: YAML, then fields, then what `faults_of` finds."""
    if len(text) > MAX_LENGTH:
        raise refused([Fault(1, 1, f"longer than {MAX_LENGTH} characters")])
    marks: dict[Way, yaml.Mark] = {}
    try:
        document = _read(text, marks)
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        column = error.position - (before.rfind("\n") + 1) + 1
        raise refused([Fault(before.count("\n") + 1, column, "a character that YAML does not take")]) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise refused([_fault(mark, error.problem or "not YAML")]) from error
    try:
        parsed = model.model_validate(document)
    except ValidationError as error:
        named = f"the {model.__name__.lower()}"
        raise refused([fault_at(marks, fault["loc"], fault["msg"], named) for fault in error.errors()]) from error
    if faults := list(faults_of(parsed, marks)):
        raise refused(faults)
    return parsed


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


def fault_at(marks: Marks, way: Way, what: str, whole: str) -> Fault:
    """Where it stands; for what is missing, where its owner does."""
    named = ".".join(map(str, way)) or whole
    if what == "Extra inputs are not permitted":
        return _fault(marks.get((*way, "[key]")), f"{named} is not known")
    near = way
    while near and near not in marks:
        near = near[:-1]
    return _fault(marks.get(near), f"{named}: {what}")


def _fault(mark: yaml.Mark | None, what: str) -> Fault:
    return Fault(mark.line + 1, mark.column + 1, what) if mark else Fault(1, 1, what)
