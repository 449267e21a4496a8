"""Contacts as rows."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

import asyncpg
from assent_common import ids
from assent_common.uow import UnitOfWork

from assent_workflow.contacts.model import Contact, ContactKind, Gathers

ALL = """
select * from contacts
 where ($1::text is null or (kind, name) > ($1, $2)) and ($3::text is null or kind = $3)
   and ($4::text is null or name = $4)
 order by kind, name limit $5
"""
ONE = "select * from contacts where kind = $1 and name = $2"
NAMED = """
select * from contacts
 where (kind = 'person' and name = any($1::text[])) or (kind = 'role' and name = any($2::text[]))
    or (kind = 'group' and name = any($3::text[]))
"""
TELL = """
insert into contacts (id, kind, name, emails, told_by, told_at) values ($1, $2, $3, $4, $5, $6)
on conflict (kind, name) do update
   set emails = excluded.emails, told_by = excluded.told_by, told_at = excluded.told_at
returning *
"""
PREFER = """
insert into contacts (id, kind, name, emails, gathers, muted, told_by, told_at)
values ($1, 'person', $2, '{}', $3, $4, $2, $5)
on conflict (kind, name) do update set gathers = excluded.gathers, muted = excluded.muted
returning *
"""
FORGET = "delete from contacts where id = $1 returning kind, name"

Row = Mapping[str, Any]


async def named(
    connection: asyncpg.Connection, people: Collection[str], roles: Collection[str], groups: Collection[str]
) -> dict[tuple[ContactKind, str], Contact]:
    """By kind and name, as far as they are known."""
    found = [contact_of(row) for row in await connection.fetch(NAMED, list(people), list(roles), list(groups))]
    return {(contact.kind, contact.name): contact for contact in found}


async def page(
    connection: asyncpg.Connection, after: Sequence[str | None], kind: str | None, name: str | None, limit: int
) -> list[Row]:
    return list(await connection.fetch(ALL, *after, kind, name, limit))


async def one(connection: asyncpg.Connection, kind: ContactKind, name: str) -> Row | None:
    row: Row | None = await connection.fetchrow(ONE, kind, name)
    return row


async def tell(uow: UnitOfWork, kind: ContactKind, name: str, emails: Sequence[str], *, by: str) -> Row:
    """In place of the addresses told before. What the person wants stays."""
    row = await (await uow.sql()).fetchrow(TELL, ids.new(), kind, name, list(emails), by, uow.clock.now())
    assert row is not None
    # The audit log is for ever and for many: that there are addresses, not which.
    uow.audit(by, "contact.told", f"{kind}:{name}", {"addresses": len(emails)})
    return dict(row)


async def prefer(uow: UnitOfWork, subject: str, *, gathers: Gathers | None, muted: bool) -> Row:
    row = await (await uow.sql()).fetchrow(PREFER, ids.new(), subject, gathers, muted, uow.clock.now())
    assert row is not None
    uow.audit(subject, "contact.preferred", f"person:{subject}", {"gathers": gathers, "muted": muted})
    return dict(row)


async def forget(uow: UnitOfWork, id_: UUID, *, by: str) -> bool:
    row = await (await uow.sql()).fetchrow(FORGET, id_)
    if row is not None:
        uow.audit(by, "contact.forgotten", f"{row['kind']}:{row['name']}")
    return row is not None


def contact_of(row: Row) -> Contact:
    gathers = Gathers(row["gathers"]) if row["gathers"] else None
    return Contact(ContactKind(row["kind"]), row["name"], tuple(row["emails"]), gathers, row["muted"])
