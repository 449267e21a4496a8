"""What people type, as Postgres takes it; and what is kept of a text, so that it is found by it."""

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

import asyncpg

from assent_catalog.newest import Newest

_WORD = re.compile(r"\w+")
# `ChurnXGBoost2` is `Churn`, `XG`, `Boost`, `2`.
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_]+")
SHORTEST_ENDING = 3
LONGEST_WORD = 40
"""Of a name; what is longer is a digest or the like, and nobody looks for what it ends with."""
WHOLE_NUMBER_DIGITS = 3
BROAD = 0.01
"""A word that so much of all versions have, or more."""
EVERYWHERE = 0.5
"""A word that so much of all versions have narrows nothing."""
KNOWN_FOR_S = 60.0
NAMED_FOR_S = 1.0
MOST_KNOWN = 1_000
MARK = 3
"""By so many letters are the words of a version marked that begin with them."""


def words(text: str | None) -> list[str]:
    """`churn-xgb v2` is `churn`, `xgb`, `v2`: letters and digits only, so nothing of a query language gets through."""
    if not text:
        return []
    # In lower case all at once, which is the most of it.
    found = " ".join(_WORD.findall(text.replace("_", " ")))
    return found.lower().split(" ") if found else []


def indexed(names: Iterable[str | None], *texts: str | None) -> str:
    """What is found by its words; a name by their parts too, and by what they end with.

    So that `xgb`, the beginning of an ending, finds `churnxgb2`, on any Postgres: pg_trgm is not on every one.
    """
    kept: dict[str, None] = {}
    for name in names:
        kept.update(_of_a_name(name or ""))
    kept.update(dict.fromkeys(words(" ".join(filter(None, texts)))))
    return " ".join(kept)


@lru_cache(10_000)
def _of_a_name(name: str) -> Mapping[str, None]:
    """All versions of a model have its name."""
    kept: dict[str, None] = {}
    for word in _WORD.findall(name.replace("_", " ")):
        kept[word.lower()] = None
        kept.update(dict.fromkeys(part.lower() for part in _PART.findall(word)))
        if len(word) <= LONGEST_WORD and not word.isdecimal():
            kept.update((word[at:].lower(), None) for at in range(1, len(word) - SHORTEST_ENDING + 1))
    return kept


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
    named: tuple[str, ...] = ()
    #: What the words of `beside` begin with: the index narrows by that as well.
    marks: tuple[str, ...] = ()
    #: Among which the first page may be found already, where that is worth a try.
    newest: Newest | None = None

    def clause(self, bind: Callable[[Any], str], among: Sequence[str] = ()) -> str:
        """`among` are marks of time. Index: model_versions_found, model_versions_use_case."""
        clauses = [f"v.search @@ to_tsquery('simple', {bind(self.narrow)})"]
        if self.beside is not None:
            # `is true` keeps it from the index: to walk all that begins with `team` takes a hundred times longer than
            # to read the few rows of the rare word beside it.
            clauses.append(f"(v.search @@ to_tsquery('simple', {bind(self.beside)})) is true")
        if self.marks:
            clauses.append(f"{MARKS} @> {bind(list(self.marks))}::text[]")
        if among:
            clauses.append(f"{MARKS} && {bind(list(among))}::text[]")
        found = " and ".join(clauses)
        if self.named:
            found = f"({found} or v.candidacies ?| {bind(list(self.named))}::text[])"
        # One prepared statement each, so that the plan for the one is never taken for the other.
        return f"{found} /* broad */" if self.is_broad else found


def sought(asked: Sequence[str], common: Mapping[str, float], named: Sequence[str] = ()) -> Sought:
    """`common` are the words that many versions have, with the share of versions that have them."""
    shares = {word: [share for each, share in common.items() if _meant(word, each)] for word in asked}
    broad = [word for word in asked if shares[word]]
    narrow = [word for word in asked if not shares[word]]
    if not narrow or not broad:
        return Sought(_all(asked), None, not narrow, tuple(named))
    marks = tuple(word[:MARK] for word in broad if max(shares[word]) < EVERYWHERE and _is_marked(word))
    return Sought(_all(narrow), _all(broad), False, tuple(named), marks)


def _all(asked: Sequence[str]) -> str:
    return " & ".join(map(_term, asked))


def _term(word: str) -> str:
    # `7` is seven: as the beginning of a number it would be a tenth of all numbers.
    return word if _is_whole(word) else f"{word}:*"


def _meant(word: str, kept: str) -> bool:
    return kept == word if _is_whole(word) else kept.startswith(word)


def _is_whole(word: str) -> bool:
    return word.isdecimal() and len(word) <= WHOLE_NUMBER_DIGITS


def _is_marked(word: str) -> bool:
    """Of plain words only: what Postgres makes of others is for Postgres to know."""
    return word.isascii() and word[0].isalpha() and len(word) >= MARK


# How it is written in the index, to the letter.
MARKS = "search_marks(v.search, v.created_at)"
# Index: use_cases_search; model_versions_created.
ALSO = """
select array(select key from use_cases where search @@ to_tsquery('simple', $1) limit 200) as named,
       (select created_at from model_versions order by created_at desc, id desc limit 1) as last
"""
# The statistics of two columns: what ANALYZE found. Behind the frequencies of the words are three of others.
COMMON = """
select word, frequency
  from pg_stats, unnest(most_common_elems::text::text[], most_common_elem_freqs) as e(word, frequency)
 where schemaname = current_schema() and tablename = 'model_versions' and attname = 'search' and word is not null
   and frequency >= $1
"""
SPREAD = """
select histogram_bounds::text::timestamptz[] from pg_stats
 where schemaname = current_schema() and tablename = 'model_versions' and attname = 'created_at'
"""


class Searcher:
    """Puts searches to Postgres. Of one process, which knows for a while which words are common, when versions were
    made and of which words there are few; and for a moment, while it changes nothing itself, which use cases have the
    words."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._common: Mapping[str, float] = {}
        self._spread: Sequence[datetime] = ()
        self._few: set[Sought] = set()
        self._read_at = float("-inf")
        #: Words → since when, after how many changes, what else is to be known.
        self._also: dict[str, tuple[float, int, Sequence[str], datetime | None]] = {}

    async def sought(self, connection: asyncpg.Connection, text: str | None, changes: int) -> Sought | None:
        """None for nothing to look for. `changes` grows with each change of this process."""
        asked = words(text)
        if not asked:
            return None
        if self._now() - self._read_at > KNOWN_FOR_S:
            self._common = {row["word"]: row["frequency"] for row in await connection.fetch(COMMON, BROAD)}
            self._spread = await connection.fetchval(SPREAD) or ()
            self._few.clear()
            self._read_at = self._now()
        named, last = await self._known(connection, _all(asked), changes)
        found = sought(asked, self._common, named)
        if last is None or named or found.is_broad or found in self._few:
            return found
        return found._replace(newest=Newest(last, self._spread))

    def was_short(self, looked: Sought) -> None:
        """There were too few among the newest: not to be looked for there again."""
        if len(self._few) < MOST_KNOWN:
            self._few.add(looked._replace(newest=None))

    async def _known(
        self, connection: asyncpg.Connection, asked: str, changes: int
    ) -> tuple[Sequence[str], datetime | None]:
        now = self._now()
        known = self._also.get(asked)
        if known is None or now - known[0] > NAMED_FOR_S or known[1] != changes:
            if len(self._also) >= MOST_KNOWN:
                self._also.clear()
            named, last = await connection.fetchrow(ALSO, asked)
            known = self._also[asked] = (now, changes, tuple(named), last)
        return known[2:]
