"""What was told of data: it stands in the states of the model versions and the use cases that name it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import asyncpg
from assent_common.http.problems import NotFound
from pydantic import BaseModel

# Every state of what ever named it, with what it is used for there; a version that is gone is told of as it last was.
# Index: model_version_history_datasets, use_case_history_datasets, then the primary keys.
_TOLD = """
(select 'model_version' as kind, h.urn as named_by, h.sequence, h.at, null as by,
        array(select distinct used->>'role' from jsonb_array_elements(coalesce(h.state->'datasets', '[]')) used
               where used->>'urn' = {urn} order by 1) as roles
   from model_version_history h
  where h.state is not null
    and h.urn in (select urn from model_version_history
                   where state->'datasets' <> '[]'
                     and state->'datasets' @> jsonb_build_array(jsonb_build_object('urn', {urn}::text)))
 union all
 select 'use_case', u.key, h.sequence, h.at, h.by,
        case when h.state->'facets'->'data'->'datasets' ? {urn} then array['described'] else '{{}}' end
   from use_case_history h join use_cases u on u.id = h.use_case
  where h.use_case in (select use_case from use_case_history where state->'facets'->'data'->'datasets' ? {urn}))
"""
PAGE = f"""
select kind, named_by, sequence, at, by, roles, before
  from (select *, coalesce(lag(roles) over (partition by kind, named_by order by sequence), '{{}}') as before
          from {_TOLD.format(urn="$1")} told) steps
 where roles <> before and ($2::timestamptz is null or at <= $2)
   and ($3::timestamptz is null or (at, kind, named_by, sequence) < ($3, $4::text, $5::text, $6::bigint))
 order by at desc, kind desc, named_by desc, sequence desc limit $7
"""  # noqa: S608 - a constant
# How a dataset `d` was used at a moment; no row where nothing had named it yet.
_USED = """
(with last as (
     select distinct on (kind, named_by) kind, named_by, roles,
            bool_or(roles <> '{{}}') over (partition by kind, named_by) as named
       from {told} told where at <= {moment} order by kind, named_by, sequence desc)
 select (select count(*) from last where kind = 'model_version' and roles <> '{{}}') as model_versions,
        array(select named_by from last where kind = 'use_case' and roles <> '{{}}' order by 1) as use_cases,
        array(select distinct unnest(roles) from last where kind = 'model_version' order by 1) as roles
  where exists (select from last where named))
"""
ONE_AT = f"""
select d.id, d.urn, u.* from datasets d
  join lateral {_USED.format(told=_TOLD.format(urn="d.urn"), moment="$2")} u on true
 where d.urn = $1
"""  # noqa: S608 - a constant
LIST_AT = f"""
select d.id, d.urn, u.* from datasets d
  join lateral {_USED.format(told=_TOLD.format(urn="d.urn"), moment="$5")} u on true
 where ($1::text is null or strpos(lower(d.urn), lower($1)) > 0) and ($2::text is null or $2 = any(u.use_cases))
   and ($3::text is null or d.urn > $3)
 order by d.urn limit $4
"""  # noqa: S608 - a constant


class Naming(BaseModel):
    """Something began to name the data, or names it for something else, or not any more."""

    kind: Literal["model_version", "use_case"]
    #: The urn of the model version, or the key of the use case.
    named_by: str
    #: Of the model version or the use case.
    sequence: int
    at: datetime
    #: Who wrote it, where a person did.
    by: str | None
    #: What it is used for from then on: `training`, `validation`, …; of a use case, `described`. Empty: not named.
    roles: list[str]
    #: What it was used for until then.
    before: list[str]


async def page(
    connection: asyncpg.Connection, urn: str, as_of: datetime | None, after: Sequence[Any], limit: int
) -> list[Naming]:
    rows = await connection.fetch(PAGE, urn, as_of, *after, limit)
    return [Naming.model_validate(dict(row)) for row in rows]


async def at(connection: asyncpg.Connection, urn: str, moment: datetime) -> Mapping[str, Any]:
    """How it was used. Raises NotFound where nothing had named it by then."""
    row: Mapping[str, Any] | None = await connection.fetchrow(ONE_AT, urn, moment)
    if row is None:
        raise NotFound(f"nothing had named it by {moment.isoformat()}")
    return dict(row)
