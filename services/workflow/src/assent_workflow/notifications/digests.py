"""What is gathered for one address, told together when its time comes: by a timer, so by one worker and once."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
from assent_common import ids
from assent_common.uow import UnitOfWork

from assent_workflow.notifications import store
from assent_workflow.notifications.happenings import Kind
from assent_workflow.notifications.plan import Notice
from assent_workflow.timers.model import TimerKind

DIGEST = "digest"
#: More is counted, not told.
MOST = 40

# Who holds something for it holds its timer: it does not fire meanwhile, and one that has fired is not held for.
HOLD = """
insert into timers (id, subject, kind, due_at, fire_at) values ($1, $2, 'digest', $3, $3)
on conflict (subject, kind) do update set due_at = timers.due_at
returning fired_at is null
"""
# Index: timers_waiting.
CLAIM = """
select t.* from timers t
 where t.kind = 'digest' and t.fired_at is null and t.fire_at <= coalesce($1::timestamptz, now())
   and ($2::uuid is null or t.id = $2)
 order by t.fire_at limit $3
   for update skip locked
"""
# Fired long ago: nothing is held for it any more, for its period is over.
FORGET = "delete from timers where kind = 'digest' and fired_at < now() - interval '2 days'"
# With how it stands now. Index: notifications_held, and the primary keys.
HELD = """
select n.*, t.status as task, t.due_at < $2 as overdue, f.status as finding
  from notifications n left join tasks t on t.id = n.about left join findings f on f.id = n.about
 where n.digest = $1 and n.status = 'held' order by n.id
"""
# Told before, and still not decided. Index: notifications_address.
STILL = """
select distinct on (n.about) n.*, t.status as task, t.due_at < $4 as overdue, null as finding
  from notifications n join tasks t on t.id = n.about and t.status = 'open'
 where n.channel = $1 and n.address = $2 and n.about <> all($3::uuid[]) and n.status in ('delivered', 'told', 'waiting')
 order by n.about, n.created_at desc
"""
ENDED = "update notifications set status = $2, delivered_at = $3 where id = any($1::uuid[])"

Row = Mapping[str, Any]


async def hold(connection: asyncpg.Connection, notice: Notice) -> UUID:
    """The digest that it is held for: of its address, and of the period that is not over."""
    assert notice.gathered_until is not None
    due_at = notice.gathered_until
    digest = ids.of_urn(f"digest|{notice.channel}|{notice.address}|{due_at.isoformat()}")
    if await connection.fetchval(HOLD, ids.new(), digest, due_at):
        return digest
    # Made a moment ago: what comes now belongs to another, which is due at once, and tells it late rather than never.
    late = ids.new()
    await connection.execute(HOLD, ids.new(), late, due_at)
    return late


async def claim(
    connection: asyncpg.Connection, *, at: datetime | None, most: int, only: UUID | None = None
) -> list[asyncpg.Record]:
    return list(await connection.fetch(CLAIM, at, only, most))


async def make(uow: UnitOfWork, due: Sequence[Row]) -> None:
    """One notification for each, of what still stands; none where nothing does."""
    connection, now = await uow.sql(), uow.clock.now()
    for timer in due:
        assert timer["kind"] == TimerKind.DIGEST
        held = await connection.fetch(HELD, timer["subject"], now)
        stands = [row for row in held if not _is_moot(row)]
        await connection.execute(ENDED, [row["id"] for row in held if _is_moot(row)], "moot", None)
        if not stands:
            continue
        first = stands[0]
        told = {row["about"] for row in held}
        still = await connection.fetch(STILL, first["channel"], first["address"], list(told), now)
        sections = [section for section in _sections(stands, still) if section["items"]]
        notice = Notice(
            channel=first["channel"],
            address=first["address"],
            recipient=first["recipient"],
            kind=DIGEST,
            about=timer["subject"],
            thread=timer["subject"],
            subject=_subject(stands, still),
            text=f"As of {now.astimezone(UTC):%Y-%m-%d %H:%M} UTC.",
            link=None,
        )
        await store.add(connection, [(str(timer["subject"]), notice, None)], at=now, sections=sections)
        await connection.execute(ENDED, [row["id"] for row in stands], "told", now)
    if due:
        await connection.execute(FORGET)


def _is_moot(row: Row) -> bool:
    """Decided, or resolved, before it was told."""
    if row["kind"].startswith("task."):
        return bool(row["task"] != "open")
    return bool(
        row["kind"].startswith("finding.") and row["kind"] != Kind.FINDING_RESOLVED and row["finding"] != "open"
    )


def _sections(stands: Iterable[Row], still: Iterable[Row]) -> list[dict[str, Any]]:
    """Each thing once, by what was last said of it."""
    latest = {(row["about"], row["kind"].partition(".")[0]): row for row in [*still, *stands]}
    asked = [row for row in latest.values() if row["kind"].startswith("task.")]
    found = [row for row in latest.values() if row["kind"].startswith("finding.")]
    others = [row for row in latest.values() if not row["kind"].startswith(("task.", "finding."))]
    return [
        _section("Overdue", [row for row in asked if row["overdue"]]),
        _section("Waiting", [row for row in asked if not row["overdue"]]),
        _section("Findings", found),
        _section("Besides", others),
    ]


def _section(title: str, rows: Sequence[Row]) -> dict[str, Any]:
    items = [{"said": row["subject"], "link": row["link"]} for row in rows[:MOST]]
    if len(rows) > MOST:
        items.append({"said": f"and {len(rows) - MOST} more", "link": None})
    return {"title": title, "items": items}


def _subject(stands: Sequence[Row], still: Sequence[Row]) -> str:
    about = {row["about"]: row for row in [*still, *stands]}
    waiting = [row for row in about.values() if row["kind"].startswith("task.")]
    overdue = sum(bool(row["overdue"]) for row in waiting)
    findings = sum(row["kind"].startswith("finding.") for row in about.values())
    said = [f"{len(waiting)} to decide" if waiting else "", f"{overdue} overdue" if overdue else ""]
    said += [f"{findings} findings" if findings > 1 else "1 finding" if findings else ""]
    return "Assent: " + (", ".join(each for each in said if each) or f"{len(about)} news")
