"""What people type, as a Postgres text query."""

import re

_WORD = re.compile(r"\w+")


def query(text: str | None) -> str | None:
    """Every word, or beginning of a word, must occur: `churn-xgb v2` is `churn:* & xgb:* & v2:*`.

    None for nothing to look for. The words hold letters, digits and underscores only, so nothing of the query
    language gets through.
    """
    words = _WORD.findall(text.replace("_", " ")) if text else []
    return " & ".join(f"{word.lower()}:*" for word in words) or None
