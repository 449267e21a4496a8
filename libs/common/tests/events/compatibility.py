"""Whether an event's schema only grew: what was promised is still there."""

from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]

_BOUNDS = ("pattern", "const", "format", "minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems")


def breaks(before: Schema, now: Schema | None) -> Iterator[str]:
    """Every way in which the schema of now breaks a promise of the one before; none if it only grew.

    Growth is a further optional field, a further word of an enumeration or a further type of a field: readers ignore
    the first and have to cope with the others.
    """
    if now is None:
        yield "is gone"
        return
    yield from _compare("", before, now, before.get("$defs", {}), now.get("$defs", {}))


def _compare(way: str, before: Schema, now: Schema, old: Schema, new: Schema) -> Iterator[str]:
    before, now = _resolved(before, old), _resolved(now, new)
    if "anyOf" in before or "anyOf" in now:
        for each in before.get("anyOf", [before]):
            if not any(not list(_compare(way, each, other, old, new)) for other in now.get("anyOf", [now])):
                yield f"{way or '/'} no longer may be {_named(each)}"
        return
    if before.get("type") != now.get("type"):
        yield f"{way or '/'} was {_named(before)} and is {_named(now)}"
        return
    words: set[str] = set(before.get("enum", ()))
    if gone := words - set(now.get("enum") or words):
        yield f"{way} no longer may be {sorted(gone)}"
    if "enum" in now and "enum" not in before:
        yield f"{way} became an enumeration"
    for bound in _BOUNDS:
        if bound in now and now[bound] != before.get(bound):
            yield f"{way} is bound by {bound} {now[bound]!r}"
    if different := set(before.get("required", ())) ^ set(now.get("required", ())):
        yield f"{way or '/'} has other required fields: {sorted(different)}"
    for name, field in before.get("properties", {}).items():
        if name not in now.get("properties", {}):
            yield f"{way}/{name} is gone"
        else:
            yield from _compare(f"{way}/{name}", field, now["properties"][name], old, new)
    for inner in ("items", "additionalProperties", "propertyNames"):
        if isinstance(now.get(inner), dict):
            yield from _compare(f"{way}/*", before.get(inner) or {}, now[inner], old, new)


def _resolved(schema: Schema, definitions: Schema) -> Schema:
    reference = schema.get("$ref")
    resolved: Schema = definitions[reference.rpartition("/")[2]] if reference else schema
    return resolved


def _named(schema: Schema) -> str:
    return str(schema.get("type") or schema.get("$ref") or "anything")
