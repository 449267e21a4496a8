"""One search over everything that has a name: each kind by its own index, one after the other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import asyncpg

from assent_catalog import search
from assent_catalog.counts import MOST_COUNTED


class FoundKind(StrEnum):
    """What is found, in the order in which it is listed."""

    USE_CASE = "use_case"
    MODEL = "model"
    MODEL_VERSION = "model_version"
    DEPLOYMENT = "deployment"
    DATASET = "dataset"


@dataclass(frozen=True)
class Place:
    """Where a page begins: behind this thing of this kind."""

    kind: FoundKind
    at: datetime
    id: UUID


# $1 is the text query, $2 the words as they were typed, in lower case.
_NAMED = "(select bool_and(strpos(lower({name}), word) > 0) from unnest($2::text[]) word)"
_FROM: Mapping[FoundKind, str] = {
    FoundKind.USE_CASE: """
        select id, key as urn, name, description, stage as status, created_at as at from use_cases
         where search @@ to_tsquery('simple', $1) and $2::text[] is not null
    """,
    FoundKind.MODEL: f"""
        select id, urn, name, record->>'description' as description,
               case when live then null else 'missing_from_source' end as status, created_at as at from models
         where $1::text is not null and {_NAMED.format(name="name")}
    """,  # noqa: S608 - a constant
    FoundKind.MODEL_VERSION: f"""
        select id, urn, concat_ws(' ', name, version) as name, description, status, created_at as at
          from model_versions v
         where $2::text[] is not null and {search.VERSIONS.format(query="$1")}
    """,  # noqa: S608 - a constant
    FoundKind.DEPLOYMENT: f"""
        select id, urn, concat_ws(' ', name, variant) as name, null as description, status, created_at as at
          from deployments
         where live and $1::text is not null and {_NAMED.format(name="concat_ws(' ', name, variant)")}
    """,  # noqa: S608 - a constant
    FoundKind.DATASET: f"""
        select id, urn, urn as name, null as description, null as status, 'epoch'::timestamptz as at from datasets
         where $1::text is not null and {_NAMED.format(name="urn")}
    """,  # noqa: S608 - a constant
}
PAGE = {
    kind: f"""
        select * from ({found}) found
         where ($3::timestamptz is null or (at, id) < ($3, $4::uuid))
         order by at desc, id desc limit $5
    """  # noqa: S608 - a constant
    for kind, found in _FROM.items()
}
COUNT = {
    kind: f"select count(*) from (select from ({found}) found limit {MOST_COUNTED + 1}) counted"  # noqa: S608
    for kind, found in _FROM.items()
}


async def page(
    connection: asyncpg.Connection,
    query: str,
    words: Sequence[str],
    kinds: Sequence[FoundKind],
    after: Place | None,
    limit: int,
) -> list[tuple[FoundKind, Mapping[str, Any]]]:
    """At most `limit` things, kind by kind, the newest of each first."""
    found: list[tuple[FoundKind, Mapping[str, Any]]] = []
    for kind in kinds:
        if after is not None and kinds.index(kind) < kinds.index(after.kind):
            continue
        behind = (after.at, after.id) if after is not None and after.kind is kind else (None, None)
        rows = await connection.fetch(PAGE[kind], query, list(words), *behind, limit - len(found))
        found += [(kind, row) for row in rows]
        if len(found) == limit:
            break
    return found


async def counts(connection: asyncpg.Connection, query: str, words: Sequence[str]) -> dict[FoundKind, int]:
    """How many of each kind; one more than MOST_COUNTED stands for all that are more."""
    return {kind: await connection.fetchval(COUNT[kind], query, list(words)) for kind in FoundKind}
