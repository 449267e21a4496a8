"""What an acceptance is bound to, compared part by part."""

from collections.abc import Iterator, Mapping

from assent_common.events.model import Json, Payload


class Change(Payload):
    """One part of a content that is not what it was; null where the part is not there on that side."""

    #: The way to the part: `metrics.model_quality.accuracy`.
    part: str
    before: Json = None
    after: Json = None


def diff(before: Mapping[str, Json], after: Mapping[str, Json]) -> list[Change]:
    """The parts that differ, sorted by name; empty for equal contents. Objects are entered, lists compared whole."""
    return sorted(_changes((), before, after), key=lambda change: change.part)


def _changes(way: tuple[str, ...], before: Json, after: Json) -> Iterator[Change]:
    match before, after:
        case Mapping(), Mapping():
            for key in {**before, **after}:
                yield from _changes((*way, key), before.get(key), after.get(key))
        case _ if not _same(before, after):
            yield Change(part=".".join(way), before=before, after=after)


def _same(before: Json, after: Json) -> bool:
    # In JSON 1 and 1.0 are one number, but 1 and true are two values; Python holds all three to be equal.
    return bool(before == after) and isinstance(before, bool) == isinstance(after, bool)
