"""Search expressions: filters on any property of a record, combined as they are nested."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from assent_local.simulator.errors import invalid
from assent_local.simulator.store import Document

Tags = Mapping[str, str]
Predicate = Callable[[Document], bool]

_ORDER: Mapping[str, Callable[[float, float], bool]] = {
    "GreaterThan": lambda value, limit: value > limit,
    "GreaterThanOrEqualTo": lambda value, limit: value >= limit,
    "LessThan": lambda value, limit: value < limit,
    "LessThanOrEqualTo": lambda value, limit: value <= limit,
}
_NUMBERS = {"integer", "long", "float", "double"}
_EXPRESSIONS_MAX = 50


class Fields:
    """A resource's properties, by their dotted paths."""

    def __init__(self, members: Mapping[str, Any]) -> None:
        self._members = members

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def type_of(self, path: str) -> str:
        """Raises a ValidationException for a property that the resource does not have."""
        members, shape = self._members, None
        for step in path.split("."):
            if step not in members:
                raise invalid(f"Unknown property name: {path}")
            shape = members[step]
            while shape.type_name == "list":
                shape = shape.member
            if shape.type_name == "map":
                return str(shape.value.type_name)
            members = shape.members if shape.type_name == "structure" else {}
        return str(shape.type_name) if shape is not None else "structure"

    def sort_key(self, path: str) -> Callable[[Document], Any]:
        self.type_of(path)

        def key(document: Document) -> Any:
            return next(iter(values(document, path)), None)

        return key


def predicate(expression: Mapping[str, Any], fields: Fields, tags_of: Callable[[Document], Tags]) -> Predicate:
    """What the whole expression asks of a record. Nothing asked is met by every record."""
    if _size(expression) > _EXPRESSIONS_MAX:
        raise invalid(f"A search expression holds at most {_EXPRESSIONS_MAX} conditions.")
    conditions = [_filter(each, fields, tags_of) for each in expression.get("Filters", [])]
    conditions += [_nested(each, fields) for each in expression.get("NestedFilters", [])]
    conditions += [predicate(each, fields, tags_of) for each in expression.get("SubExpressions", [])]
    if not conditions:
        return lambda document: True
    if expression.get("Operator", "And") == "Or":
        return lambda document: any(condition(document) for condition in conditions)
    return lambda document: all(condition(document) for condition in conditions)


def values(document: Any, path: str) -> list[Any]:
    """All values at the path: more than one where it leads through a list."""
    if isinstance(document, list):
        return [value for element in document for value in values(element, path)]
    if not isinstance(document, Mapping):
        return []
    if path in document:  # a key of a map may hold dots itself
        value = document[path]
        return value if isinstance(value, list) else [value]
    step, _, rest = path.partition(".")
    return values(document[step], rest) if rest and step in document else []


def _size(expression: Mapping[str, Any]) -> int:
    own = len(expression.get("Filters", [])) + len(expression.get("NestedFilters", []))
    return own + sum(_size(each) for each in expression.get("SubExpressions", []))


def _filter(asked: Mapping[str, Any], fields: Fields, tags_of: Callable[[Document], Tags]) -> Predicate:
    name: str = asked["Name"]
    if name.startswith("Tags."):
        compare = _comparison(asked, "string")
        key = name.removeprefix("Tags.")
        return lambda document: compare([value for tag, value in tags_of(document).items() if tag == key])
    compare = _comparison(asked, fields.type_of(name))
    return lambda document: compare(values(document, name))


def _nested(asked: Mapping[str, Any], fields: Fields) -> Predicate:
    """One element of the list has to meet all the filters, whose names start with the list's."""
    inside: str = asked["NestedPropertyName"]
    conditions = []
    for each in asked["Filters"]:
        name = each["Name"]
        path = name if name.startswith(f"{inside}.") else f"{inside}.{name}"
        conditions.append((path.removeprefix(f"{inside}."), _comparison(each, fields.type_of(path))))

    def holds(element: Any) -> bool:
        return all(compare(values(element, path)) for path, compare in conditions)

    return lambda document: any(holds(element) for element in values(document, inside))


def _comparison(asked: Mapping[str, Any], kind: str) -> Callable[[list[Any]], bool]:
    operator: str = asked.get("Operator", "Equals")
    if operator == "Exists":
        return bool
    if operator == "NotExists":
        return lambda found: not found
    if "Value" not in asked:
        raise invalid(f"A filter with the operator {operator} needs a value.")
    given: str = asked["Value"]
    if operator in _ORDER:
        if kind not in _NUMBERS | {"timestamp"}:
            raise invalid(f"The operator {operator} is not supported for the text property {asked['Name']}.")
        holds, limit = _ORDER[operator], _parsed(given, kind)
        return lambda found: any(holds(value, limit) for value in found)
    if operator == "Contains":
        return lambda found: any(given in _text(value) for value in found)
    if operator == "In":
        options = [_parsed(option, kind) for option in given.split(",")]
        return lambda found: any(_comparable(value) in options for value in found)
    wanted = _parsed(given, kind)
    if operator == "NotEquals":
        return lambda found: all(_comparable(value) != wanted for value in found)
    return lambda found: any(_comparable(value) == wanted for value in found)


def _parsed(given: str, kind: str) -> Any:
    try:
        if kind == "timestamp":
            moment = datetime.fromisoformat(given)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        return float(given) if kind in _NUMBERS else given
    except ValueError as error:
        raise invalid(f"'{given}' is not a {kind}.") from error


def _comparable(value: Any) -> Any:
    return _text(value) if isinstance(value, bool) else value


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
