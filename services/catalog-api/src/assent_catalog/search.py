"""What people type, as Postgres takes it; and what is kept of a text, so that it is found by it."""

import re
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, NamedTuple

import asyncpg

_WORD = re.compile(r"\w+")
# `ChurnXGBoost2` is `Churn`, `XG`, `Boost`, `2`.
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_]+")
SHORTEST_ENDING = 3
LONGEST_WORD = 40
"""Of a name; what is longer is a digest or the like, and nobody looks for what it ends with."""
WHOLE_NUMBER_DIGITS = 3
BROAD = 0.01
"""A word that so much of all versions have, or more."""
COMMON_FOR_S = 60.0


def words(text: str | None) -> list[str]:
    """`churn-xgb v2` is `churn`, `xgb`, `v2`: letters and digits only, so nothing of a query language gets through."""
    return [word.lower() for word in _WORD.findall(text.replace("_", " "))] if text else []


def indexed(names: Iterable[str | None], *texts: str | None) -> str:
    """What is found by its words; a name by their parts too, and by what they end with.

    So that `xgb`, the beginning of an ending, finds `churnxgb2`, on any Postgres: pg_trgm is not on every one.
    """
    kept: dict[str, None] = {}
    for name in names:
        for word in _WORD.findall((name or "").replace("_", " ")):
            kept[word.lower()] = None
            kept.update(dict.fromkeys(part.lower() for part in _PART.findall(word)))
            if len(word) <= LONGEST_WORD and not word.isdecimal():
                kept.update((word[at:].lower(), None) for at in range(1, len(word) - SHORTEST_ENDING + 1))
    for text in texts:
        kept.update(dict.fromkeys(words(text)))
    return " ".join(kept)


def query(text: str | None) -> str | None:
    """A text query by which every word, or beginning of a word, must occur. None for nothing to look for."""
    return _all(words(text)) or None


class Sought(NamedTuple):
    """A search over the versions, as it is best put to Postgres."""

    #: What is looked for in the index.
    narrow: str
    #: What the rows that it finds are held against: the words that are everywhere.
    beside: str | None
    #: Every word is one of those: most rows that are looked at are hits.
    is_broad: bool
    #: The keys of the use cases that have the words: versions are found by what they stand for, too.
    named: Sequence[str] = ()

    def clause(self, bind: Callable[[Any], str]) -> str:
        """Index: model_versions_search, model_versions_use_case."""
        clauses = [f"v.search @@ to_tsquery('simple', {bind(self.narrow)})"]
        if self.beside is not None:
            # `is true` keeps it from the index: to walk all that begins with `team` takes a hundred times longer than
            # to read the few rows of the rare word beside it.
            clauses.append(f"(v.search @@ to_tsquery('simple', {bind(self.beside)})) is true")
        found = " and ".join(clauses)
        if self.named:
            found = f"({found} or v.candidacies ?| {bind(list(self.named))}::text[])"
        # One prepared statement each, so that the plan for the one is never taken for the other.
        return f"{found} /* broad */" if self.is_broad else found


def sought(asked: Sequence[str], common: Collection[str], named: Sequence[str] = ()) -> Sought:
    """`common` are the words that many versions have."""
    broad = [word for word in asked if any(_meant(word, each) for each in common)]
    narrow = [word for word in asked if word not in broad]
    if not narrow or not broad:
        return Sought(_all(asked), None, not narrow, named)
    return Sought(_all(narrow), _all(broad), False, named)


def _all(asked: Sequence[str]) -> str:
    return " & ".join(map(_term, asked))


def _term(word: str) -> str:
    # `7` is seven: as the beginning of a number it would be a tenth of all numbers.
    return word if _is_whole(word) else f"{word}:*"


def _meant(word: str, kept: str) -> bool:
    return kept == word if _is_whole(word) else kept.startswith(word)


def _is_whole(word: str) -> bool:
    return word.isdecimal() and len(word) <= WHOLE_NUMBER_DIGITS


NAMED = "select key from use_cases where search @@ to_tsquery('simple', $1) limit 200"
# The statistics of the index's column: what ANALYZE found. Behind the frequencies of the words are three of others.
COMMON = """
select word from pg_stats, unnest(most_common_elems::text::text[], most_common_elem_freqs) as e(word, frequency)
 where schemaname = current_schema() and tablename = 'model_versions' and attname = 'search' and word is not null
   and frequency >= $1
"""


class Searcher:
    """Puts searches to Postgres; knows for a while which words are common. Of one process."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._common: Collection[str] = ()
        self._read_at = float("-inf")

    async def sought(self, connection: asyncpg.Connection, text: str | None) -> Sought | None:
        """None for nothing to look for."""
        asked = words(text)
        if not asked:
            return None
        if self._now() - self._read_at > COMMON_FOR_S:
            self._common = [row["word"] for row in await connection.fetch(COMMON, BROAD)]
            self._read_at = self._now()
        named = [row["key"] for row in await connection.fetch(NAMED, _all(asked))]
        return sought(asked, self._common, named)
