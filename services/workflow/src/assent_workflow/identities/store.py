"""What names stand for, as rows."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import asyncpg
from assent_common import ids
from assent_common.identity.roles import Principal
from assent_common.uow import UnitOfWork

from assent_workflow.identities.model import Colleague, Identities, Person

ALL = """
select * from identities where ($1::text is null or name > $1) and ($2::text is null or name = $2)
 order by name limit $3
"""
NAMED = "select name, issuer, subject from identities where name = any($1::text[])"
TELL = """
insert into identities (id, name, issuer, subject, told_by, told_at, roles, groups)
values ($1, $2, $3, $4, $5, $6, $7, $8)
on conflict (name) do update
   set issuer = excluded.issuer, subject = excluded.subject, told_by = excluded.told_by, told_at = excluded.told_at,
       roles = excluded.roles, groups = excluded.groups
returning *
"""
FORGET = "delete from identities where id = $1 returning name"


# Index: tasks_given. One person may go by several names.
COLLEAGUES = """
select i.issuer, i.subject, array_agg(distinct r) filter (where r is not null) as roles,
       array_agg(distinct g) filter (where g is not null) as groups,
       (select count(*) from tasks t where t.assignee = i.subject and t.status = 'open') as load
  from identities i left join unnest(i.roles) r on true left join unnest(i.groups) g on true
 where i.subject is not null and ($1::text is null or (i.issuer, i.subject) = ($1, $2))
 group by i.issuer, i.subject order by i.subject
"""


async def colleagues(connection: asyncpg.Connection, only: Person | None = None) -> tuple[Colleague, ...]:
    """Everybody of whom an admin has said who they are, or this one, with how many open tasks are given to each."""
    rows = await connection.fetch(COLLEAGUES, *(only or (None, None)))
    return tuple(
        Colleague(
            Person(row["issuer"], row["subject"]),
            frozenset(row["roles"] or ()),
            frozenset(row["groups"] or ()),
            row["load"],
        )
        for row in rows
    )


async def with_groups(connection: asyncpg.Connection, who: Principal) -> Principal:
    """The groups of the token, and those that an admin has put the person in."""
    told = [each.groups for each in await colleagues(connection, Person(who.issuer, who.subject))]
    return replace(who, groups=who.groups.union(*told))


async def of(connection: asyncpg.Connection, names: Collection[str]) -> Identities:
    if not names:
        return Identities()
    rows = await connection.fetch(NAMED, list(names))
    return Identities({row["name"]: _person(row) for row in rows})


async def page(
    connection: asyncpg.Connection, after: str | None, name: str | None, limit: int
) -> list[Mapping[str, Any]]:
    return list(await connection.fetch(ALL, after, name, limit))


async def tell(
    uow: UnitOfWork,
    name: str,
    person: Person | None,
    *,
    by: str,
    roles: Sequence[str] = (),
    groups: Sequence[str] = (),
) -> Mapping[str, Any]:
    """In place of what was said of the name before."""
    told = (person.issuer, person.subject) if person else (None, None)
    row = await (await uow.sql()).fetchrow(
        *(TELL, ids.new(), name, *told, by, uow.clock.now(), list(roles), list(groups)),
    )
    assert row is not None
    details = {"subject": person.subject if person else None, "roles": list(roles), "groups": list(groups)}
    uow.audit(by, "identity.told", name, details)
    return dict(row)


async def forget(uow: UnitOfWork, id_: UUID, *, by: str) -> bool:
    name = await (await uow.sql()).fetchval(FORGET, id_)
    if name is not None:
        uow.audit(by, "identity.forgotten", name)
    return name is not None


def _person(row: Mapping[str, Any]) -> Person | None:
    return Person(row["issuer"], row["subject"]) if row["subject"] is not None else None
