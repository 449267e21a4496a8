"""What names stand for, as rows."""

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

import asyncpg
from assent_common import ids
from assent_common.uow import UnitOfWork

from assent_workflow.identities.model import Identities, Person

ALL = """
select * from identities where ($1::text is null or name > $1) and ($2::text is null or name = $2)
 order by name limit $3
"""
NAMED = "select name, issuer, subject from identities where name = any($1::text[])"
TELL = """
insert into identities (id, name, issuer, subject, told_by, told_at) values ($1, $2, $3, $4, $5, $6)
on conflict (name) do update
   set issuer = excluded.issuer, subject = excluded.subject, told_by = excluded.told_by, told_at = excluded.told_at
returning *
"""
FORGET = "delete from identities where id = $1 returning name"


async def of(connection: asyncpg.Connection, names: Collection[str]) -> Identities:
    if not names:
        return Identities()
    rows = await connection.fetch(NAMED, list(names))
    return Identities({row["name"]: _person(row) for row in rows})


async def page(
    connection: asyncpg.Connection, after: str | None, name: str | None, limit: int
) -> list[Mapping[str, Any]]:
    return list(await connection.fetch(ALL, after, name, limit))


async def tell(uow: UnitOfWork, name: str, person: Person | None, *, by: str) -> Mapping[str, Any]:
    """In place of what was said of the name before."""
    told = (person.issuer, person.subject) if person else (None, None)
    row = await (await uow.sql()).fetchrow(TELL, ids.new(), name, *told, by, uow.clock.now())
    assert row is not None
    uow.audit(by, "identity.told", name, {"subject": person.subject if person else None})
    return dict(row)


async def forget(uow: UnitOfWork, id_: UUID, *, by: str) -> bool:
    name = await (await uow.sql()).fetchval(FORGET, id_)
    if name is not None:
        uow.audit(by, "identity.forgotten", name)
    return name is not None


def _person(row: Mapping[str, Any]) -> Person | None:
    return Person(row["issuer"], row["subject"]) if row["subject"] is not None else None
