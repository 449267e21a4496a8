"""Notifications, rules and what is remembered, as rows."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from importlib.resources import files
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from assent_common import ids
from assent_common.uow import UnitOfWork

from assent_workflow.marked_yaml import parse_as
from assent_workflow.notifications.plan import Notice
from assent_workflow.notifications.rules import Rules
from assent_workflow.outgoing.queue import Queue

MAIL = Queue("notifications", "channel = 'mail'")
SLACK = Queue("notifications", "channel = 'slack'", receiver="address")
ANY = Queue("notifications")

DEFAULT = files("assent_workflow.notifications").joinpath("default.yaml").read_text(encoding="utf-8")

STATES = "select subject, state from notification_states where subject = any($1::uuid[])"
REMEMBER = """
insert into notification_states select * from unnest($1::uuid[], $2::text[])
on conflict (subject) do update set state = excluded.state
"""
INSERT = """
insert into notifications (id, once, channel, address, recipient, kind, about, thread, subject, text, link, sections,
                           digest, status, next_try_at, created_at)
select id, once, channel, address, recipient, kind, about, thread, subject, text, link, sections::jsonb, digest, status,
       now(), created_at
  from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::uuid[], $8::uuid[],
              $9::text[], $10::text[], $11::text[], $12::text[], $13::uuid[], $14::text[], $15::timestamptz[])
    as n(id, once, channel, address, recipient, kind, about, thread, subject, text, link, sections, digest, status,
         created_at)
on conflict do nothing
"""
# What an event does not say. Index: the primary keys.
CANDIDACIES = """
select c.id, c.use_case, c.model_version, c.put_forward_by, c.reason,
       left(u.facets->'accountability'->>'business_owner', 200) as owner
  from candidacies c left join use_cases u on u.id = c.use_case_id where c.id = any($1::uuid[])
"""
TASKS = "select id, assignee, stage, role, asked_group from tasks where id = any($1::uuid[])"
FINDINGS = "select id, owner, summary, severity, kind from findings where id = any($1::uuid[])"
SUBJECTS = "select name, subject from identities where name = any($1::text[]) and subject is not null"
MEMBERS = """
select r as role, array_agg(distinct i.subject) as subjects from identities i, unnest(i.roles) r
 where r = any($1::text[]) and i.subject is not null group by r
"""
INSIDE = """
select g as inside, i.subject, array_agg(distinct r) filter (where r is not null) as roles
  from identities i cross join unnest(i.groups) g left join unnest(i.roles) r on true
 where g = any($1::text[]) and i.subject is not null group by g, i.subject order by g, i.subject
"""
LAST_RULES = "select text from notification_rules order by version desc limit 1"
ALL_RULES = """
select * from notification_rules where $1::integer is null or version < $1 order by version desc limit $2
"""
# Two who write at once: the second waits, and then sees the first one's.
LOCK_RULES = "select pg_advisory_xact_lock(hashtextextended('notification rules', 0))"
INSERT_RULES = """
insert into notification_rules (version, text, created_by, created_at)
select coalesce(max(version), 0) + 1, $1, $2, $3 from notification_rules
returning *
"""
# Index: notifications_about where one is named, else notifications_log.
LOG = """
select * from notifications
 where ($1::text is null or status = $1)
   and ($2::text is null or channel = $2)
   and ($3::text is null or recipient = $3)
   and ($4::uuid is null or about = $4)
   and ($5::timestamptz is null or (created_at, id) < ($5, $6))
 order by created_at desc, id desc limit $7
"""
ONE = "select * from notifications where id = $1"

Row = Mapping[str, Any]


@lru_cache(maxsize=8)
def rules_of(text: str) -> Rules:
    """Raises TextInvalid with line and column."""
    return parse_as(Rules, text)


async def rules(connection: asyncpg.Connection) -> Rules:
    """The last that somebody wrote, or those that Assent ships."""
    return rules_of(await connection.fetchval(LAST_RULES) or DEFAULT)


async def write_rules(uow: UnitOfWork, text: str, *, by: str) -> Row:
    connection = await uow.sql()
    await connection.execute(LOCK_RULES)
    row = await connection.fetchrow(INSERT_RULES, text, by, uow.clock.now())
    assert row is not None
    uow.audit(by, "notification_rules.written", str(row["version"]), {"text": text})
    return dict(row)


async def states(connection: asyncpg.Connection, subjects: Collection[UUID]) -> dict[UUID, str]:
    return {row["subject"]: row["state"] for row in await connection.fetch(STATES, list(subjects))}


async def remember(connection: asyncpg.Connection, states: Mapping[UUID, str]) -> None:
    if states:
        await connection.execute(REMEMBER, list(states), list(states.values()))


async def by_id(connection: asyncpg.Connection, statement: str, ids_: Collection[UUID]) -> dict[UUID, Row]:
    if not ids_:
        return {}
    return {row["id"]: row for row in await connection.fetch(statement, list(ids_))}


async def subjects(connection: asyncpg.Connection, names: Collection[str]) -> dict[str, str]:
    """The names that stand for a person of another name."""
    return {row["name"]: row["subject"] for row in await connection.fetch(SUBJECTS, list(names))}


async def members(connection: asyncpg.Connection, roles: Collection[str]) -> dict[str, Sequence[str]]:
    """By role, those who an admin says hold it."""
    return {row["role"]: sorted(row["subjects"]) for row in await connection.fetch(MEMBERS, list(roles))}


async def inside(connection: asyncpg.Connection, groups: Collection[str]) -> dict[str, dict[str, Collection[str]]]:
    """By group, those who an admin says are in it, each with the roles that he says they hold."""
    found: dict[str, dict[str, Collection[str]]] = {}
    for row in await connection.fetch(INSIDE, list(groups)):
        found.setdefault(row["inside"], {})[row["subject"]] = row["roles"] or ()
    return found


async def add(
    connection: asyncpg.Connection,
    notices: Sequence[tuple[str, Notice, UUID | None]],
    *,
    at: datetime,
    sections: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Each once, however often it is added: what it is made of, itself, and the digest that it is held for."""
    rows = []
    for cause, notice, digest in notices:
        once = f"{cause}|{notice.channel}|{notice.address}"
        rows.append(
            (
                *(id_of(once), once, notice.channel, notice.address, notice.recipient, notice.kind, notice.about),
                *(notice.thread, notice.subject, notice.text, notice.link, orjson.dumps(list(sections)).decode()),
                *(digest, "held" if digest else "waiting", at),
            )
        )
    if rows:
        await connection.execute(INSERT, *map(list, zip(*rows, strict=True)))


def id_of(once: str) -> UUID:
    """Its message id comes from this: made twice, by a restored database even, it is the same message."""
    return ids.of_urn(f"notification|{once}")


async def log(connection: asyncpg.Connection, selection: Sequence[Any], before: Sequence[Any], limit: int) -> list[Row]:
    return list(await connection.fetch(LOG, *selection, *before, limit))
