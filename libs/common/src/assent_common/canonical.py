"""One value, one text: canonical JSON (RFC 8785) and digests of it."""

import hashlib
import math
from collections.abc import Mapping
from json.encoder import encode_basestring
from typing import Any, NewType

CanonicalJson = NewType("CanonicalJson", bytes)
ContentHash = NewType("ContentHash", str)


def dumps(value: Any) -> CanonicalJson:
    """Canonical JSON: keys sorted by UTF-16 code units, no white space, numbers as ECMAScript writes them.

    Raises ValueError for NaN, infinities and integers beyond 2**53, which JSON readers do not agree on, and for
    lone surrogates; TypeError for what is not JSON.
    """
    return CanonicalJson(_text(value).encode())


def digest(value: Any) -> ContentHash:
    """`sha256:` and the hexadecimal SHA-256 of the value's canonical JSON."""
    return ContentHash("sha256:" + hashlib.sha256(dumps(value)).hexdigest())


def _text(value: Any) -> str:
    match value:
        case str():
            return encode_basestring(value)
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            if abs(value) > 2**53:
                raise ValueError(f"{value} is beyond what JSON readers agree on")
            return str(value)
        case float():
            return _number(value)
        case dict() | Mapping():
            # Either of them raises TypeError for a key that is no string.
            keys = sorted(value) if all(map(str.isascii, value)) else sorted(value, key=_utf16)
            return "{" + ",".join([f"{encode_basestring(key)}:{_text(value[key])}" for key in keys]) + "}"
        case list() | tuple():
            return "[" + ",".join(map(_text, value)) + "]"
    raise TypeError(f"{type(value).__name__} is not JSON")


def _utf16(key: str) -> bytes:
    return str.encode(key, "utf-16-be")


def _number(value: float) -> str:
    """As ECMAScript's Number::toString: the shortest digits that read back as the same double, and its exponents."""
    if not math.isfinite(value):
        raise ValueError("NaN and infinity are not JSON")
    if value == 0:
        return "0"
    spelled = repr(value)
    if "e" not in spelled:
        # Between 0.0001 and 1e16 both write it alike, but for the fraction that is none.
        return spelled.removesuffix(".0")
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    # The value is 0.digits times ten to the point.
    point = int(exponent or 0) + len(whole) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    if 0 < point <= 21:
        body = digits.ljust(point, "0") if len(digits) <= point else f"{digits[:point]}.{digits[point:]}"
    elif -6 < point <= 0:
        body = "0." + "0" * -point + digits
    else:
        body = digits[0] + ("." + digits[1:] if len(digits) > 1 else "") + f"e{point - 1:+d}"
    return sign + body
