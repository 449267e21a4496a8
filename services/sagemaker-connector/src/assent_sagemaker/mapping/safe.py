"""Whatever a registry holds, as JSON that Postgres, Kafka and every reader take."""

import math
import re
from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime

from assent_common.clock import to_utc
from assent_common.events.model import Json

#: Postgres takes no NUL in text or jsonb; lone surrogates are no characters and have no UTF-8.
_NOT_TEXT = re.compile("[\x00\ud800-\udfff]")

MAX_DEPTH = 64
_MAX_INTEGER = 2**53


class TooDeep(ValueError):
    """Nested deeper than any honest document."""


def json_safe(value: object) -> Json:
    """The value as JSON: times as RFC 3339 in UTC, bytes as base64, sets sorted, NaN and infinities as null.

    NUL characters and lone surrogates are removed from strings and keys; integers beyond 2**53, on which JSON
    readers do not agree, become strings. Raises TooDeep, and TypeError for what no registry sends.
    """
    return _safe(value, MAX_DEPTH)


def _safe(value: object, depth: int) -> Json:
    if depth == 0:
        raise TooDeep(f"nested deeper than {MAX_DEPTH} levels")
    # What nearly all of a document is, first.
    match value:
        case str():
            return clean(value)
        case dict():
            return {clean(str(key)): _safe(item, depth - 1) for key, item in value.items()}
        case None | bool():
            return value
        case int():
            return value if abs(value) <= _MAX_INTEGER else str(value)
        case float():
            return value if math.isfinite(value) else None
        case datetime():
            return to_utc(value).isoformat().replace("+00:00", "Z")
        case bytes() | bytearray():
            return b64encode(value).decode()
        case list() if set(map(type, value)) == {float}:
            # A sketch or a curve has millions of them.
            return [item if math.isfinite(item) else None for item in value]
        case list() | tuple():
            return [_safe(item, depth - 1) for item in value]
        case set() | frozenset():
            return sorted((_safe(item, depth - 1) for item in value), key=repr)
        case Mapping():
            return _safe(dict(value), depth)
    raise TypeError(f"{type(value).__name__} has no place in a registry's document")


def clean(text: str) -> str:
    return text if text.isascii() and "\x00" not in text else _NOT_TEXT.sub("", text)
