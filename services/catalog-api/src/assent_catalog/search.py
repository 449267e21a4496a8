"""What people type, as Postgres takes it."""

import re

_WORD = re.compile(r"\w+")


def words(text: str | None) -> list[str]:
    """`churn-xgb v2` is `churn`, `xgb`, `v2`: letters and digits only, so nothing of a query language gets through."""
    return [word.lower() for word in _WORD.findall(text.replace("_", " "))] if text else []


def query(text: str | None) -> str | None:
    """A text query by which every word, or beginning of a word, must occur. None for nothing to look for."""
    return " & ".join(f"{word}:*" for word in words(text)) or None


# Versions are found by the use cases that they stand for, too. Index: model_versions_search, model_versions_use_case.
VERSIONS = """
(v.search @@ to_tsquery('simple', {query})
 or v.candidacies ?| coalesce((select array_agg(key) from (select key from use_cases
                                                            where search @@ to_tsquery('simple', {query})
                                                            limit 200) named), '{{}}'))
"""
