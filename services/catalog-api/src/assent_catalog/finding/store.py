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
from assent_catalog.search import Sought


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
    FoundKind.MODEL_VERSION: """
        select id, urn, concat_ws(' ', name, version) as name, description, status, created_at as at
          from model_versions v
         where $1::text is not null and $2::text[] is not null and {found}
    """,
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
_PAGE = """
select * from ({of_kind}) found
 where ($3::timestamptz is null or (at, id) < ($3, $4::uuid))
 order by at desc, id desc limit $5
"""
_COUNT = f"select count(*) from (select from ({{of_kind}}) found limit {MOST_COUNTED + 1}) counted"  # noqa: S608


class _Statement:
    """What is bound besides what every statement takes."""

    def __init__(self, form: str, kind: FoundKind, sought: Sought, *values: Any) -> None:
        self.values = list(values)
        of_kind = _FROM[kind]
        if kind is FoundKind.MODEL_VERSION:
            of_kind = of_kind.format(found=sought.clause(self._bind))
        self.text = form.format(of_kind=of_kind)

    def _bind(self, value: Any) -> str:
        self.values.append(value)
        return f"${len(self.values)}"


async def page(
    connection: asyncpg.Connection,
    q: str,
    sought: Sought,
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
        asked = _Statement(_PAGE, kind, sought, search.query(q), search.words(q), *behind, limit - len(found))
        rows = await connection.fetch(asked.text, *asked.values)
        found += [(kind, row) for row in rows]
        if len(found) == limit:
            break
    return found


async def count(connection: asyncpg.Connection, q: str, sought: Sought, kind: FoundKind) -> int:
    """How many of a kind; one more than MOST_COUNTED stands for all that are more."""
    asked = _Statement(_COUNT, kind, sought, search.query(q), search.words(q))
    counted: int = await connection.fetchval(asked.text, *asked.values)
    return counted
