"""What each source was seen to hold: the rows of `records` and `sources`.

A record's `sequence` grows under its row's lock whenever what is told of it changes, and never otherwise. Only the
holder of the source's lease writes; but who removes what waits for it, by a person's word or its time, does, too.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import asyncpg
import orjson
from assent_common.events.model import Json
from assent_common.events.registry import Census, Kind

from assent_sagemaker.reports import Reports

# A document older than the one that is kept (of a search index that lags) changes nothing, nor does another source's
# view of what a source has already, unless that one was dropped. Rows are locked in the order of their keys.
UPSERT = """
insert into records as r (key, urn, source, kind, model, hash, document, document_hash, summary_hash, content_hash,
                          tags, artifacts, reports, reports_attempts, reports_due_at, created_at, modified_at,
                          training_job, changed_at, sequence, live)
select key, urn, $1, kind, model, hash, document::json, document_hash, summary_hash, content_hash, tags::json,
       artifacts::jsonb, reports::json, reports_attempts, reports_due_at, created_at, modified_at,
       training_job, $2, 1, true
  from unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[],
              $11::text[], $12::text[], $13::text[], $14::text[], $15::int[], $16::timestamptz[], $17::timestamptz[],
              $18::timestamptz[], $19::text[])
       as o(key, urn, kind, model, hash, document, document_hash, summary_hash, content_hash, tags, artifacts, reports,
            reports_attempts, reports_due_at, created_at, modified_at, training_job)
 order by key
on conflict (key) do update
   set source = excluded.source, model = excluded.model, hash = excluded.hash, document = excluded.document,
       document_hash = excluded.document_hash, summary_hash = coalesce(excluded.summary_hash, r.summary_hash),
       content_hash = excluded.content_hash, tags = excluded.tags, artifacts = excluded.artifacts,
       reports = excluded.reports,
       reports_attempts = excluded.reports_attempts, reports_due_at = excluded.reports_due_at,
       created_at = excluded.created_at, modified_at = excluded.modified_at, training_job = excluded.training_job,
       changed_at = excluded.changed_at,
       sequence = r.sequence + 1, live = true, missed_listings = 0, missing_since = null
 where (r.hash <> excluded.hash or not r.live)
   and (r.source = excluded.source or not r.live
        or exists (select from source_leases l where l.source = r.source and l.dropped_at is not null))
   and (excluded.created_at, coalesce(excluded.modified_at, excluded.created_at))
    >= (r.created_at, coalesce(r.modified_at, r.created_at))
returning key, sequence
"""
# What is kept beside what is told.
BOOK = """
update records r
   set document_hash = o.document_hash, summary_hash = coalesce(o.summary_hash, r.summary_hash),
       reports = o.reports::json, reports_attempts = o.reports_attempts, reports_due_at = o.reports_due_at,
       training_job = o.training_job
  from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::int[], $8::timestamptz[], $9::text[])
       as o(key, hash, document_hash, summary_hash, reports, reports_attempts, reports_due_at, training_job)
 where r.key = o.key and r.hash = o.hash and r.source = $1 and r.live
"""
KNOWN = """
select r.*, exists (select from source_leases l where l.source = r.source and l.dropped_at is not null) as is_adrift
  from records r where r.key = any($1::text[])
"""
LOCKED = KNOWN + " order by r.key for update of r"
GROUPS = "select key, urn, tags from records where key = any($1::text[]) and kind = 'model'"
# Index: records_model.
OF_MODEL = """
select * from records where model = $1 and live and key > $2 order by key limit $3
"""
# They come due again if who takes them does not come back. Index: records_reports_due.
TAKE_REPORTS_DUE = """
update records r set reports_due_at = $3
  from (select key from records where source = any($1::text[]) and live and reports_due_at <= $2
         order by reports_due_at limit $4 for update skip locked) due
 where r.key = due.key
returning r.*
"""
LIVING = "select key, created_at from records where key = any($1::text[]) and live"
DIFFERENT = """
select l.key from unnest($2::text[], $3::text[]) as l(key, summary_hash)
 where not exists (select from records r
                    where r.key = l.key and r.live and (r.summary_hash = l.summary_hash or r.source <> $1))
"""
URNS = "select urn from records where source = $1 and kind = any($2::text[]) and live"
# Index: records_model.
KEYS_OF_MODELS = "select key from records where model = any($1::text[]) and live"
SUMMARIES = "select key, summary_hash from records where source = $1 and kind = any($2::text[]) and live"
CONTENT_HASH = "select content_hash from records where key = $1"
# Of whichever source: what is registered in one account is served in another. Index: records_artifacts.
ARTIFACTS = """
select urn, artifacts from records
 where kind = 'model_version' and live and (key = any($1::text[]) or artifacts ?| $2::text[])
"""
# Of the artifacts of deployments that were not matched, those that are one version's now. Index: records_artifacts.
MATCHABLE = """
select d.urn from records d
 where d.source = $1 and d.kind = 'deployment' and d.live and d.artifacts <> '[]'
   and exists (select from jsonb_array_elements_text(d.artifacts) a(address)
                where (select count(*) from (select from records v
                                              where v.kind = 'model_version' and v.live and v.artifacts ? a.address
                                              limit 2) few) = 1)
 order by d.key limit 100
"""

# Index: records_source.
MISSED = """
update records r set missed_listings = r.missed_listings + 1, missing_since = coalesce(r.missing_since, $4)
 where source = $1 and kind = any($2::text[]) and live
   and not exists (select from unnest($3::text[]) as l(key) where l.key = r.key)
returning key, missed_listings
"""
FOUND = """
update records r set missed_listings = 0, missing_since = null
 where source = $1 and kind = any($2::text[]) and live and missed_listings > 0
   and exists (select from unnest($3::text[]) as l(key) where l.key = r.key)
"""
# Index: records_missing.
WAITING = """
select key from records where source = $1 and live and missed_listings > 1 and missed_listings >= $2
 order by key for update
"""
LIVE = "select count(*) from records where source = $1 and kind = any($2::text[]) and live"
REMOVE = """
update records r set live = false, sequence = r.sequence + 1, reports_due_at = null, changed_at = $2
  from (select key from records where key = any($1::text[]) order by key for update) gone
 where r.key = gone.key and r.live
returning r.urn, r.kind, r.sequence
"""
# The sequences as they are told: see outbox/append.py.
CENSUS = """
select kind, count(*) as live,
       (sum(sequence) + count(*) * (select (value >> 32) << 32 from outbox_position))::bigint as sequences
  from records where source = $1 and live group by kind
"""


@dataclass(frozen=True, slots=True)
class Known:
    """What is kept of one object."""

    key: str
    urn: str
    source: str
    kind: Kind
    model: str | None
    hash: str
    document: Json
    document_hash: str
    summary_hash: str | None
    tags: Mapping[str, str]
    reports: Reports
    live: bool
    created_at: datetime
    modified_at: datetime | None
    #: The key of the job that made it.
    training_job: str | None
    #: Whether its source was dropped, so that another one may take it over.
    is_adrift: bool

    @classmethod
    def of(cls, row: asyncpg.Record) -> "Known":
        return cls(
            key=row["key"],
            urn=row["urn"],
            source=row["source"],
            kind=Kind(row["kind"]),
            model=row["model"],
            hash=row["hash"],
            document=row["document"],
            document_hash=row["document_hash"],
            summary_hash=row["summary_hash"],
            tags=row["tags"],
            reports=Reports.read(row["reports"], row["reports_attempts"], row["reports_due_at"]),
            live=row["live"],
            created_at=row["created_at"],
            modified_at=row["modified_at"],
            training_job=row["training_job"],
            is_adrift=row.get("is_adrift", False),
        )


class Row(NamedTuple):
    """An object as it is to be kept."""

    key: str
    urn: str
    kind: Kind
    model: str | None
    hash: str
    document: Json
    document_hash: str
    summary_hash: str | None
    content_hash: str | None
    tags: Mapping[str, str]
    #: Of a version, where its artifacts lie; of a deployment, where those lie of which nobody could tell the version.
    artifacts: Sequence[str]
    reports: Reports
    created_at: datetime
    modified_at: datetime | None
    #: The key of the job that made it.
    training_job: str | None


class Group(NamedTuple):
    urn: str
    tags: Mapping[str, str]


class Gone(NamedTuple):
    urn: str
    kind: Kind
    sequence: int


async def upsert(
    connection: asyncpg.Connection, source: str, rows: Sequence[Row], changed_at: datetime
) -> Mapping[str, int]:
    """Keep what is new or different. Key → sequence, of those alone: exactly these are to be told."""
    columns = [
        [row.key for row in rows],
        [row.urn for row in rows],
        [row.kind.value for row in rows],
        [row.model for row in rows],
        [row.hash for row in rows],
        [_json(row.document) for row in rows],
        [row.document_hash for row in rows],
        [row.summary_hash for row in rows],
        [row.content_hash for row in rows],
        [_json(row.tags) for row in rows],
        [_json(row.artifacts) for row in rows],
        [row.reports.written() for row in rows],
        [row.reports.attempts for row in rows],
        [row.reports.due_at for row in rows],
        [row.created_at for row in rows],
        [row.modified_at for row in rows],
        [row.training_job for row in rows],
    ]
    changed = await connection.fetch(UPSERT, source, changed_at, *columns)
    return {row["key"]: row["sequence"] for row in changed}


async def book(connection: asyncpg.Connection, source: str, rows: Sequence[Row]) -> None:
    """Keep how reading went, for objects of which nothing is to be told."""
    if rows:
        await connection.execute(
            BOOK,
            source,
            [row.key for row in rows],
            [row.hash for row in rows],
            [row.document_hash for row in rows],
            [row.summary_hash for row in rows],
            [row.reports.written() for row in rows],
            [row.reports.attempts for row in rows],
            [row.reports.due_at for row in rows],
            [row.training_job for row in rows],
        )


async def known(connection: asyncpg.Connection, keys: Collection[str]) -> dict[str, Known]:
    return {row["key"]: Known.of(row) for row in await connection.fetch(KNOWN, list(keys))}


async def locked(connection: asyncpg.Connection, keys: Collection[str]) -> dict[str, Known]:
    """The same, held until the transaction ends: what is worked out from them is still so when it is kept."""
    return {row["key"]: Known.of(row) for row in await connection.fetch(LOCKED, list(keys))}


async def groups(connection: asyncpg.Connection, keys: Collection[str]) -> dict[str, Group]:
    rows = await connection.fetch(GROUPS, list(keys))
    return {row["key"]: Group(row["urn"], row["tags"]) for row in rows}


async def of_model(connection: asyncpg.Connection, model: str, *, after: str, limit: int) -> list[Known]:
    """The live versions of a model, in the order of their keys."""
    return [Known.of(row) for row in await connection.fetch(OF_MODEL, model, after, limit)]


async def take_reports_due(
    connection: asyncpg.Connection, sources: Collection[str], now: datetime, *, again_at: datetime, limit: int
) -> list[Known]:
    """Versions of these sources whose reports are due, the longest due first. They are given once until `again_at`."""
    return [Known.of(row) for row in await connection.fetch(TAKE_REPORTS_DUE, list(sources), now, again_at, limit)]


async def living(connection: asyncpg.Connection, keys: Collection[str]) -> dict[str, datetime]:
    """Of these, those that are there, whoever owns them: key → when it was created."""
    return {row["key"]: row["created_at"] for row in await connection.fetch(LIVING, list(keys))}


async def different(connection: asyncpg.Connection, source: str, summaries: Mapping[str, str]) -> set[str]:
    """Those of which the digest is another than when they were last described, and that no other source owns."""
    rows = await connection.fetch(DIFFERENT, source, list(summaries), list(summaries.values()))
    return {row["key"] for row in rows}


async def urns(connection: asyncpg.Connection, source: str, *kinds: Kind) -> list[str]:
    return [row["urn"] for row in await connection.fetch(URNS, source, _values(kinds))]


async def keys_of_models(connection: asyncpg.Connection, models: Collection[str]) -> set[str]:
    """Of all their live versions."""
    return {row["key"] for row in await connection.fetch(KEYS_OF_MODELS, list(models))}


async def summaries(connection: asyncpg.Connection, source: str, *kinds: Kind) -> dict[str, str | None]:
    """Key → digest of the summary by which it was last described."""
    rows = await connection.fetch(SUMMARIES, source, _values(kinds))
    return {row["key"]: row["summary_hash"] for row in rows}


async def content_hash(connection: asyncpg.Connection, key: str) -> str | None:
    """What was last told of it."""
    kept: str | None = await connection.fetchval(CONTENT_HASH, key)
    return kept


async def artifacts(
    connection: asyncpg.Connection, keys: Collection[str], addresses: Collection[str]
) -> dict[str, list[str]]:
    """Urn → where its artifacts lie, of the live versions of these keys, and of those that have such an address."""
    rows = await connection.fetch(ARTIFACTS, list(keys), list(addresses))
    return {row["urn"]: row["artifacts"] for row in rows}


async def matchable(connection: asyncpg.Connection, source: str) -> list[str]:
    """The urns of some deployments of which it could not be told what they serve, and now can."""
    return [row["urn"] for row in await connection.fetch(MATCHABLE, source)]


async def missed(
    connection: asyncpg.Connection, source: str, kinds: Collection[Kind], listed: Collection[str], at: datetime
) -> dict[str, int]:
    """Count a complete listing: key → how many in a row have lacked it, of what this one lacks."""
    among = list(listed)
    await connection.execute(FOUND, source, _values(kinds), among)
    rows = await connection.fetch(MISSED, source, _values(kinds), among, at)
    return {row["key"]: row["missed_listings"] for row in rows}


async def waiting(connection: asyncpg.Connection, source: str, listings: int) -> list[str]:
    """The keys of what so many listings have lacked, locked; it is there all the same, for it was too much at once."""
    return [row["key"] for row in await connection.fetch(WAITING, source, listings)]


async def count_live(connection: asyncpg.Connection, source: str, kinds: Collection[Kind]) -> int:
    count: int = await connection.fetchval(LIVE, source, _values(kinds))
    return count


async def remove(connection: asyncpg.Connection, keys: Collection[str], at: datetime) -> list[Gone]:
    rows = await connection.fetch(REMOVE, list(keys), at)
    return [Gone(row["urn"], Kind(row["kind"]), row["sequence"]) for row in rows]


async def census(connection: asyncpg.Connection, source: str) -> dict[Kind, Census]:
    """Of every kind, also of those of which there is none."""
    none = dict.fromkeys(Kind, Census(live=0, sequences=0))
    rows = await connection.fetch(CENSUS, source)
    return none | {Kind(row["kind"]): Census(live=row["live"], sequences=row["sequences"]) for row in rows}


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _values(kinds: Iterable[Kind]) -> list[str]:
    return [kind.value for kind in kinds]
