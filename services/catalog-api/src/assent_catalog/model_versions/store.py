"""Model versions read from rows. Everything a caller gives is bound; what statements are made of are constants."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import orjson
from assent_common import ids

from assent_catalog import search
from assent_catalog.counts import MOST_COUNTED
from assent_catalog.model_versions.filters import MetricFilter
from assent_catalog.search import Sought

SUMMARY = """
v.id, v.urn, v.source, v.model, v.name, v.version, v.description, v.type, v.framework, v.algorithm, v.source_status,
v.source_approval_status, v.metrics_status, v.content_hash, v.created_at, v.modified_at, v.status, v.candidacies,
coalesce(v.record->'metrics', '{}') as metrics, v.record->'life_cycle' as life_cycle,
coalesce(v.record->'tags', '{}') as tags
"""
# The item as it is sent: Postgres writes JSON many times faster than we read and write it.
ITEM = f"(select row_to_json(s)::text from (select {SUMMARY}) s) as item"  # noqa: S608 - a constant
STRENGTH = ("accepted", "suspended", "under_review", "candidate", "rejected", "retired", "withdrawn")
# What was known at a moment, in place of what is known now: the last that was observed by then, whether it was removed
# after that, and what the workflow had said of it. Index: the primary keys of the histories.
KNOWN_AT = f"""
(select m.id, m.urn, s.state->>'source' as source, s.state->>'model' as model, m.model_id, s.state->>'name' as name,
        (s.state->>'version')::int as version, s.state->>'description' as description, s.state->>'type' as type,
        s.state->>'framework' as framework, s.state->>'algorithm' as algorithm,
        s.state->>'source_status' as source_status, s.state->>'source_approval_status' as source_approval_status,
        s.state->>'metrics_status' as metrics_status, s.state->>'content_hash' as content_hash, m.created_at,
        (s.state->>'modified_at')::timestamptz as modified_at, s.state as record,
        coalesce(c.by_use_case, '{{}}') as candidacies,
        case when s.removed then 'missing_from_source' else coalesce(c.strongest, 'registered') end as status
   from model_versions m
   join lateral (
       select o.state, exists (select from model_version_history r
                                where r.urn = o.urn and r.sequence > o.sequence and r.at <= $1 and r.state is null)
              as removed
         from model_version_history o
        where o.urn = m.urn and o.at <= $1 and o.state is not null
        order by o.sequence desc limit 1) s on true
   left join lateral (
       select (array_agg(status order by array_position(array{list(STRENGTH)}, status)))[1] as strongest,
              jsonb_object_agg(use_case, status order by candidacy) as by_use_case
         from (select distinct on (candidacy) candidacy, record->>'use_case' as use_case, record->>'status' as status
                 from candidacy_history h
                where h.model_version = m.urn and h.at <= $1
                  and (h.record->>'version_created_at' is null
                       or abs(extract(epoch from (h.record->>'version_created_at')::timestamptz - m.created_at)) < 1)
                order by candidacy, sequence desc) last) c on true
  where m.created_at <= $1)
"""  # noqa: S608 - a constant
ONE = "select * from model_versions where id = $1 or urn = $2"
# All that an answer is made of, each part as it is sent; candidacies of the version made then, not of an earlier one
# under the same urn. Index: the primary key, or that of the urn.
_WHOLE = """
select v.id, v.changed_sequence, v.status, v.record::text as record, coalesce(v.raw::text, 'null') as raw,
       coalesce((select json_agg(c)::text
                   from (select id, use_case, status, changed_at from candidacies
                          where model_version = v.urn
                            and (version_created_at is null
                                 or abs(extract(epoch from version_created_at - v.created_at)) < 1)
                          order by id desc) c), '[]') as candidacies,
       coalesce((select json_agg(d)::text
                   from (select id, urn, kind, name, variant, status from deployments
                          where model_version = v.urn and live order by urn) d), '[]') as deployments
  from model_versions v where {which} = $1
"""
WHOLE_BY_ID, WHOLE_BY_URN = _WHOLE.format(which="v.id"), _WHOLE.format(which="v.urn")
# The last that was observed by then. Index: the primary key.
STATE_AS_OF = """
select state from model_version_history
 where urn = $1 and at <= $2 and state is not null
 order by sequence desc limit 1
"""
# The same of a moment. Index: the primary keys of the histories, candidacy_history_model_version,
# deployment_history_model_version.
_WHOLE_AS_OF = f"""
select v.id, s.state::text as record, c.candidacies, d.deployments,
       case when s.removed then 'missing_from_source' else coalesce(c.strongest, 'registered') end as status
  from model_versions v
  left join lateral (
      select o.state, exists (select from model_version_history r
                               where r.urn = o.urn and r.sequence > o.sequence and r.at <= $2 and r.state is null)
             as removed
        from model_version_history o
       where o.urn = v.urn and o.at <= $2 and o.state is not null
       order by o.sequence desc limit 1) s on true
  cross join lateral (
      select coalesce(json_agg(then_ order by then_.id)::text, '[]') as candidacies,
             (array_agg(then_.status order by array_position(array{list(STRENGTH)}, then_.status)))[1] as strongest
        from (select distinct on (candidacy) candidacy as id, record->>'use_case' as use_case,
                     record->>'status' as status, at as changed_at
                from candidacy_history
               where model_version = v.urn and at <= $2
                 and (record->>'version_created_at' is null
                      or abs(extract(epoch from (record->>'version_created_at')::timestamptz
                                                - (s.state->>'created_at')::timestamptz)) < 1)
               order by candidacy, sequence desc) then_) c
  cross join lateral (
      select coalesce(json_agg(then_ order by then_.urn)::text, '[]') as deployments
        from (select d.id, d.urn, h.state->>'kind' as kind, h.state->>'name' as name, h.state->>'variant' as variant,
                     h.state->>'status' as status
                from deployments d
                join lateral (select state from deployment_history l where l.urn = d.urn and l.at <= $2
                               order by l.sequence desc limit 1) h on true
               where d.urn in (select urn from deployment_history where state->>'model_version' = v.urn)
                 and h.state->>'model_version' = v.urn) then_) d
 where {{which}} = $1
"""  # noqa: S608 - a constant
WHOLE_AS_OF_BY_ID, WHOLE_AS_OF_BY_URN = _WHOLE_AS_OF.format(which="v.id"), _WHOLE_AS_OF.format(which="v.urn")
HISTORY = """
select 'observed' as kind, h.sequence, h.at, h.state as state, b.state as before, null::uuid as candidacy
  from model_version_history h
  left join lateral (select state from model_version_history p
                      where p.urn = h.urn and p.sequence < h.sequence order by p.sequence desc limit 1) b on true
 where h.urn = $1
union all
select 'candidacy', c.sequence, c.at, c.record, null, c.candidacy from candidacy_history c where c.model_version = $1
"""
HISTORY_PAGE = f"""
select * from ({HISTORY}) h
 where ($2::timestamptz is null or (at, kind, sequence) < ($2, $3, $4)) and ($5::timestamptz is null or at <= $5)
 order by at desc, kind desc, sequence desc
 limit $6
"""  # noqa: S608 - a constant


class Sort(StrEnum):
    """`-` before it: the greatest first."""

    NEWEST = "-created_at"
    OLDEST = "created_at"
    LAST_MODIFIED = "-modified_at"
    FIRST_MODIFIED = "modified_at"
    NAME = "name"
    NAME_BACKWARDS = "-name"
    VERSION = "version"
    LATEST_VERSION = "-version"


class Key(NamedTuple):
    """A part of a sort key. Never null, so that a page can begin behind it."""

    expression: str
    type: str
    #: Back from a cursor.
    parse: Callable[[Any], Any]
    #: What the expression is of an item that was listed.
    of: Callable[[Mapping[str, Any]], Any]


ID = Key("v.id", "uuid", UUID, lambda row: row["id"])
CREATED = Key("v.created_at", "timestamptz", datetime.fromisoformat, lambda row: row["created_at"])
_MODIFIED = Key(
    "coalesce(v.modified_at, v.created_at)",
    "timestamptz",
    datetime.fromisoformat,
    lambda row: row["modified_at"] or row["created_at"],
)
_VERSION = Key("coalesce(v.version, 0)", "integer", int, lambda row: row["version"] or 0)
_NAME = Key("left(v.name, 100)", "text", str, lambda row: row["name"][:100])
# Index: model_versions_created, model_versions_modified, model_versions_name, model_versions_version.
KEYS: Mapping[str, tuple[Key, ...]] = {
    "created_at": (CREATED, ID),
    "modified_at": (_MODIFIED, ID),
    "name": (_NAME, _VERSION, ID),
    "version": (_VERSION, ID),
}


def keys(sort: Sort) -> tuple[Key, ...]:
    return KEYS[sort.removeprefix("-")]


def key_of(sort: Sort, item: str) -> list[Any]:
    """Where in the list an item stands, for a cursor."""
    members = orjson.loads(item)
    return [key.of(members) for key in keys(sort)]


class Facet(StrEnum):
    STATUS = "status"
    TYPE = "type"
    SOURCE = "source"
    FRAMEWORK = "framework"
    ALGORITHM = "algorithm"
    MODEL = "name"


@dataclass(frozen=True)
class Selection:
    """What to list."""

    q: str | None = None
    urn: str | None = None
    source: Sequence[str] = ()
    status: Sequence[str] = ()
    type: Sequence[str] = ()
    framework: Sequence[str] = ()
    #: Urn, id or name of the model.
    model: str | None = None
    use_case: str | None = None
    metrics: Sequence[MetricFilter] = ()

    def where(self, as_of: datetime | None = None, sought: Sought | None = None, among: Sequence[str] = ()) -> "_Where":
        """`sought` is what the words of `q` come to; without it they are looked for as they are. `among` are marks of
        time, which narrow it."""
        where = _Where()
        if as_of is not None:
            # KNOWN_AT has it for its first.
            where.values.append(as_of)
        if self.q:
            sought = sought or (search.sought(asked, {}) if (asked := search.words(self.q)) else None)
            # Without a word in it nothing is found.
            where.clauses.append(sought.clause(where.bind, among) if sought is not None else "false")
        if self.urn:
            where.add("v.urn = {}", self.urn)
        for column, values in (
            ("v.source", self.source),
            ("v.status", self.status),
            ("v.type", self.type),
            ("v.framework", self.framework),
        ):
            if values:
                where.add(f"{column} = any({{}}::text[])", list(values))
        if self.model:
            where.add("(v.model_id = {}::uuid or left(v.name, 100) = left({}, 100))", _id_of(self.model), self.model)
        if self.use_case:
            where.add("v.candidacies ? {}", self.use_case)
        for name, operator, value in self.metrics:
            if as_of is not None:
                where.add(f"(v.record->'metrics'->{{}}->>'value')::float8 {operator} {{}}", name, value)
                continue
            # Index: metrics primary key or metrics_value.
            where.add(
                f"exists (select from metrics m where m.model_version = v.id and m.name = {{}}"
                f" and m.value {operator} {{}})",
                name,
                value,
            )
        return where


@dataclass
class _Where:
    clauses: list[str] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)

    def add(self, clause: str, *values: Any) -> None:
        places = [f"${len(self.values) + number}" for number in range(1, len(values) + 1)]
        self.clauses.append(clause.format(*places))
        self.values += values

    def bind(self, value: Any) -> str:
        """Where the value stands in the statement."""
        self.values.append(value)
        return f"${len(self.values)}"

    def __str__(self) -> str:
        return " and ".join(self.clauses) or "true"


async def facets(
    connection: asyncpg.Connection, selection: Selection, wanted: Sequence[Facet], sought: Sought | None = None
) -> tuple[int, dict[str, dict[str, int]]]:
    """How many there are (one more than MOST_COUNTED stands for all that are more); and facet → value → how many, the
    most frequent first, at most a hundred values each. One statement, so that all of it is of one moment."""
    where = selection.where(sought=sought)
    columns = ", ".join(f"v.{facet.value}" for facet in wanted)
    names = [facet.value for facet in wanted]
    sets = ", ".join(f"({name})" for name in names)
    number = " ".join(f"when grouping({name}) = 0 then {place}" for place, name in enumerate(names))
    value = f"coalesce({', '.join(names)})"
    statement = f"""
        with counted as materialized (
            select {columns} from model_versions v where {where} limit {MOST_COUNTED + 1}
        )
        select case {number} end as facet, {value} as value, count(*) as count
          from counted group by grouping sets ({sets}, ())
         order by count(*) desc, 2
    """  # noqa: S608 - every part is a constant of this module
    total = 0
    counts: dict[str, dict[str, int]] = {name: {} for name in names}
    for row in await connection.fetch(statement, *where.values):
        if row["facet"] is None:
            total = row["count"]
        elif row["value"] is not None and len(values := counts[names[row["facet"]]]) < 100:
            values[row["value"]] = row["count"]
    return total, counts


async def whole(connection: asyncpg.Connection, urn_or_id: str, as_of: datetime | None = None) -> asyncpg.Record | None:
    """The parts of an answer, as they are sent; of a moment at which it was not known without a record."""
    if as_of is None:
        by_id, by_urn, moment = WHOLE_BY_ID, WHOLE_BY_URN, []
    else:
        by_id, by_urn, moment = WHOLE_AS_OF_BY_ID, WHOLE_AS_OF_BY_URN, [as_of]
    try:
        id_ = UUID(urn_or_id)
    except ValueError:
        return await connection.fetchrow(by_urn, urn_or_id, *moment)
    return await connection.fetchrow(by_id, id_, *moment)


async def find(connection: asyncpg.Connection, urn_or_id: str) -> asyncpg.Record | None:
    try:
        id_ = UUID(urn_or_id)
    except ValueError:
        id_ = None
    return await connection.fetchrow(ONE, id_, urn_or_id)


async def as_of(connection: asyncpg.Connection, urn: str, moment: datetime) -> Mapping[str, Any] | None:
    """What the registry had told of a version by a moment."""
    row = await connection.fetchrow(STATE_AS_OF, urn, moment)
    return row["state"] if row is not None else None


def _id_of(urn_or_id: str) -> UUID:
    try:
        return UUID(urn_or_id)
    except ValueError:
        return ids.of_urn(urn_or_id)
