"""One value, one text: canonical JSON (RFC 8785 for the values that Assent keeps) and digests of it."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, NewType

CanonicalJson = NewType("CanonicalJson", bytes)
ContentHash = NewType("ContentHash", str)


def dumps(value: Any) -> CanonicalJson:
    """Canonical JSON: keys sorted by UTF-16 code units, no white space, whole floats written as integers.

    Raises ValueError for NaN, infinities and integers beyond 2**53, which JSON readers do not agree on, and for
    lone surrogates; TypeError for what is not JSON.
    """
    return CanonicalJson(
        json.dumps(_normal(value), ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    )


def digest(value: Any) -> ContentHash:
    """`sha256:` and the hexadecimal SHA-256 of the value's canonical JSON."""
    return ContentHash("sha256:" + hashlib.sha256(dumps(value)).hexdigest())


def _normal(value: Any) -> Any:
    match value:
        case None | bool() | str():
            return value
        case int():
            if abs(value) > 2**53:
                raise ValueError(f"{value} is beyond what JSON readers agree on")
            return value
        case float():
            if not math.isfinite(value):
                raise ValueError("NaN and infinity are not JSON")
            return int(value) if value.is_integer() and abs(value) <= 2**53 else value
        case Mapping():
            if not all(isinstance(key, str) for key in value):
                raise TypeError("a JSON object's keys are strings")
            return {key: _normal(value[key]) for key in sorted(value, key=lambda k: k.encode("utf-16-be"))}
        case Sequence():
            return [_normal(item) for item in value]
    raise TypeError(f"{type(value).__name__} is not JSON")
