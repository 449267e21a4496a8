"""A report's notation to a number."""

import math
import re

from assent_common.events.model import Json

_PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+")


def number(raw: Json) -> float | None:
    """The number, 0.0 included; none for what is no number: null, true, NaN, infinities, "n/a".

    "93.4%" is 0.934 and "0,91" is 0.91. "1,234" is none: it is read as 1234 here and as 1.234 there.
    """
    match raw:
        case bool():
            return None
        case int() | float():
            return _finite(raw)
        case str():
            return _spelled(raw.strip())
    return None


def _spelled(text: str) -> float | None:
    if len(text) > 64:
        return None
    percent = text.endswith("%")
    digits = text.removesuffix("%").rstrip()
    if _DECIMAL_COMMA.fullmatch(digits) and not _THOUSANDS.fullmatch(digits):
        digits = digits.replace(",", ".")
    if not _PLAIN.fullmatch(digits):
        return None
    # Shifting the decimal point in the text keeps 93.4 % at 0.934 rather than 0.9340000000000001.
    return _finite(float(f"{digits}e-2") if percent and "e" not in digits.lower() else float(digits))


def _finite(value: float) -> float | None:
    try:
        finite = float(value)
    except OverflowError:
        return None
    return finite if math.isfinite(finite) else None
