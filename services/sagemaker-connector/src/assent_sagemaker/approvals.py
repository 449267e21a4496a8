"""What is said of each version's approval, there and here: the rows of `approvals`, and the drift between the two.

A row is locked by whoever judges it, in the transaction that tells of it: readers of a source, and those who decide,
take turns. What changes without being told in its own transaction (a decision) makes the row *due*; who holds the
source tells it then.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeGuard, cast

import asyncpg
from assent_common.events.registry import ApprovalDrift, ModelVersionObserved

from assent_sagemaker import arns, metrics
from assent_sagemaker.drift import Approval, Found, Restores, Standing, at_first, judged
from assent_sagemaker.sources import Source

LOCK = "select * from approvals where key = any($1::text[]) order by key for update"
WATCH = "select newest from watches where source = $1"
# What another process learned of a new version meanwhile, a decision, stays, and makes the row due again.
KEEP = """
insert into approvals as a (key, created_at, modified_at, found, standing, drift, due, turn)
select key, created_at, modified_at, found, standing, drift::jsonb, due, due::int
  from unnest($1::text[], $2::timestamptz[], $3::timestamptz[], $4::text[], $5::text[], $6::text[], $7::boolean[])
       as e(key, created_at, modified_at, found, standing, drift, due)
 order by key
on conflict (key) do update
   set created_at = excluded.created_at, modified_at = excluded.modified_at, found = excluded.found,
       standing = excluded.standing, drift = excluded.drift, due = a.due or excluded.due,
       answered = case when excluded.due then null else a.answered end, turn = a.turn + excluded.turn,
       wanted = case when a.created_at = excluded.created_at or a.created_at is null then a.wanted end,
       writing = case when a.created_at = excluded.created_at then a.writing end
"""
OPEN = "insert into approvals (key) select key from unnest($1::text[]) key order by key on conflict do nothing"
WANT = """
update approvals set wanted = $2, due = true, turn = turn + 1 where key = $1 and wanted is distinct from $2
"""
# Index: approvals_due.
DUE = """
select a.*, r.urn, r.source from approvals a join records r on r.key = a.key
 where a.due and r.live and r.source = any($1::text[]) limit $2
"""
SETTLED = "update approvals set due = false, answered = $3 where key = $1 and turn = $2"
RESTORED = "update approvals set restores = $2, restored_at = $3 where key = $1"
DRIFTS = "select exists (select from approvals where key = $1 and drift is not null)"
# Index: approvals_drift.
DRIFTING = """
select r.source, count(*) as drifting from approvals a join records r on r.key = a.key
 where a.drift is not null and r.live and r.source = any($1::text[]) group by 1
"""
WRITING = "update approvals set writing = $2 where key = $1"
WATCHED = "insert into watches (source, scope, newest) values ($1, $2, $3) on conflict do nothing"
WATCHED_OTHERWISE = "delete from watches where source = $1 and scope <> $2"
ANSWERED_OTHERWISE = """
update approvals a set due = true, turn = turn + 1
  from records r join unnest($1::text[], $2::text[]) as s(source, settings) on s.source = r.source
 where r.key = a.key and r.live and a.drift is not null and a.answered is distinct from s.settings and not a.due
"""

Versions = Sequence[ModelVersionObserved]


@dataclass(frozen=True, slots=True)
class Row:
    """How the approval of one version stands."""

    key: str
    urn: str
    source: str
    created_at: datetime | None
    standing: Standing
    restores: Restores
    turn: int


class _Kept(NamedTuple):
    key: str
    created_at: datetime
    found: Found
    standing: Standing
    due: bool


async def told(connection: asyncpg.Connection, source: str, versions: Versions) -> dict[str, ApprovalDrift]:
    """Urn → the drift to be told with a version, of these as they were read just now.

    Locks the rows until the transaction ends, which is to be the one that tells. What is older than what was judged
    already does not count.
    """
    by_key = {arns.key(version.urn): version for version in versions if version.source_approval_status is not None}
    rows = {row["key"]: row for row in await connection.fetch(LOCK, sorted(by_key))}
    new = [version for key, version in by_key.items() if _is_new(rows.get(key), version)]
    watched = await _watched(connection, source, new) if new else set()
    drifts = {}
    changed = []
    for key, version in by_key.items():
        row, found = rows.get(key), _found(version)
        if _is_older(row, version.created_at, found.at):
            drifts[version.urn] = _standing(row).drift
            continue
        before = _before(row, version, found, watched=version.urn in watched)
        after = judged(before, found)
        drifts[version.urn] = after.drift
        if row is None or after != before or (version.created_at, found.at) != (row["created_at"], row["modified_at"]):
            began = _began(before, after)
            metrics.APPROVAL_DRIFTS.inc(began)
            # Another version under its ARN has other candidacies.
            another = row is not None and row["created_at"] not in (None, version.created_at)
            changed.append(_Kept(key, version.created_at, found, after, due=began or another))
    await _keep(connection, changed)
    return {urn: drift for urn, drift in drifts.items() if drift is not None}


async def open_and_lock(connection: asyncpg.Connection, keys: Collection[str]) -> dict[str, datetime | None]:
    """So that who works out what is wanted of these does so alone. Key → when the version was made, if it was seen."""
    ordered = sorted(keys)
    await connection.execute(OPEN, ordered)
    return {row["key"]: row["created_at"] for row in await connection.fetch(LOCK, ordered)}


async def want(connection: asyncpg.Connection, key: str, approval: Approval | None) -> None:
    """What the decisions ask for is another thing now: whether that begins or ends a drift is to be told."""
    await connection.execute(WANT, key, approval)


async def due(connection: asyncpg.Connection, sources: Collection[str], limit: int) -> list[Row]:
    return [_row(row) for row in await connection.fetch(DUE, list(sources), limit)]


async def again(connection: asyncpg.Connection, row: Row) -> Row:
    """As it stands now; locked."""
    (now,) = await connection.fetch(LOCK, [row.key])
    return _row({**now, "urn": row.urn, "source": row.source})


async def settled(connection: asyncpg.Connection, row: Row, *, settings: str) -> None:
    """Told, and answered as these settings of its source say, unless something changed again."""
    await connection.execute(SETTLED, row.key, row.turn, settings)


async def drifting(connection: asyncpg.Connection, sources: Collection[str]) -> dict[str, int]:
    """Source → how many versions say what nobody decided, of those of which some do."""
    return {row["source"]: row["drifting"] for row in await connection.fetch(DRIFTING, list(sources))}


async def restored(connection: asyncpg.Connection, key: str, restores: Restores) -> None:
    await connection.execute(RESTORED, key, restores.count, restores.last_at)


async def writing(connection: asyncpg.Connection, key: str, approval: Approval | None) -> None:
    """What is about to be written, so that it is known for our own when it is read; None when it was read."""
    await connection.execute(WRITING, key, approval)


async def drifts(connection: asyncpg.Connection, key: str) -> bool:
    drifting: bool = await connection.fetchval(DRIFTS, key)
    return drifting


async def settings_changed(connection: asyncpg.Connection, settings: Mapping[str, str]) -> None:
    """The drifts of these sources that were answered by other settings than these are answered anew."""
    await connection.execute(ANSWERED_OTHERWISE, list(settings), list(settings.values()))


async def watch_begins(connection: asyncpg.Connection, source: Source) -> None:
    """A source whose globs are others now has versions that nobody watched."""
    await connection.execute(WATCHED_OTHERWISE, source.name, source.scope)


async def watches(connection: asyncpg.Connection, source: Source, newest: datetime | None) -> None:
    """The source was read whole; `newest` is the newest change that it had, by its own clock."""
    await connection.execute(WATCHED, source.name, source.scope, newest)


async def _watched(connection: asyncpg.Connection, source: str, new: Sequence[ModelVersionObserved]) -> set[str]:
    """The urns of those that were registered after the source had been read whole."""
    row = await connection.fetchrow(WATCH, source) if new else None
    if row is None:
        return set()
    newest = row["newest"] or datetime.min.replace(tzinfo=UTC)
    return {version.urn for version in new if version.created_at > newest}


async def _keep(connection: asyncpg.Connection, changed: Sequence[_Kept]) -> None:
    if changed:
        rows = [
            (
                *(kept.key, kept.created_at, kept.found.at, kept.found.status, kept.standing.status),
                kept.standing.drift.model_dump_json() if kept.standing.drift else None,
                kept.due,
            )
            for kept in changed
        ]
        await connection.execute(KEEP, *map(list, zip(*rows, strict=True)))


def _is_new(row: asyncpg.Record | None, version: ModelVersionObserved) -> bool:
    return row is None or row["created_at"] is None or version.created_at > row["created_at"]


def _is_older(row: asyncpg.Record | None, created_at: datetime, modified_at: datetime) -> TypeGuard[asyncpg.Record]:
    if row is None or row["created_at"] is None:
        return False
    return (created_at, modified_at) < (row["created_at"], row["modified_at"])


def _before(row: asyncpg.Record | None, version: ModelVersionObserved, found: Found, *, watched: bool) -> Standing:
    if row is not None and not _is_new(row, version):
        return _standing(row)
    first = at_first(found, watched=watched)
    # It may have been decided upon before it was seen.
    decided = row is not None and row["created_at"] is None
    return replace(first, wanted=row["wanted"]) if row is not None and decided else first


def _began(before: Standing, after: Standing) -> bool:
    return after.drift is not None and (before.drift is None or before.drift.found != after.drift.found)


def _found(version: ModelVersionObserved) -> Found:
    untouched = version.modified_at in (None, version.created_at)
    by = version.modified_by or (version.created_by if untouched else None)
    status = cast(Approval, version.source_approval_status)
    return Found(status, by, version.modified_at or version.created_at)


def _standing(row: Mapping[str, Any]) -> Standing:
    drift = ApprovalDrift.model_validate(row["drift"]) if row["drift"] else None
    return Standing(row["standing"], drift, row["wanted"], row["writing"])


def _row(row: Mapping[str, Any]) -> Row:
    restores = Restores(row["restores"], row["restored_at"])
    return Row(row["key"], row["urn"], row["source"], row["created_at"], _standing(row), restores, row["turn"])
