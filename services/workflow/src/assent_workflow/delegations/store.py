"""Delegations as rows: nothing is deleted, for decisions rest on them."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from assent_common.events.governance import DelegationChanged
from assent_common.kafka.topics import GOVERNANCE
from assent_common.uow import UnitOfWork

from assent_workflow.delegations.model import Delegation
from assent_workflow.identities.model import Person

# Index: delegations_substitute. Share-locked: one that is revoked meanwhile is waited for.
GIVEN_TO = """
select * from delegations
 where substitute = $1 and substitute_issuer = $2 and revoked_at is null and begins_at <= $3 and ends_at > $3
 order by id for share
"""
ALL = """
select * from delegations
 where ($1::uuid is null or id < $1) and ($2::text is null or delegator = $2 or substitute = $2)
 order by id desc limit $3
"""
INSERT = """
insert into delegations (id, role, delegator, delegator_issuer, substitute, substitute_issuer, begins_at, ends_at,
                         reason)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""
LOCK = "select * from delegations where id = $1 for update"
REVOKE = "update delegations set revoked_at = $2 where id = $1 and revoked_at is null"


async def given_to(connection: asyncpg.Connection, person: Person, at: datetime) -> list[Delegation]:
    """Those that hold at that moment."""
    rows = await connection.fetch(GIVEN_TO, person.subject, person.issuer, at)
    return [_delegation(row) for row in rows]


async def page(
    connection: asyncpg.Connection, before: UUID | None, person: str | None, limit: int
) -> list[Mapping[str, Any]]:
    return list(await connection.fetch(ALL, before, person, limit))


async def add(uow: UnitOfWork, delegation: Delegation) -> None:
    given, taken = delegation.delegator, delegation.substitute
    await (await uow.sql()).execute(
        INSERT,
        *(delegation.id, delegation.role, given.subject, given.issuer, taken.subject, taken.issuer),
        *(delegation.begins_at, delegation.ends_at, delegation.reason),
    )
    details = {
        "role": delegation.role,
        "substitute": taken.subject,
        "begins_at": delegation.begins_at.isoformat(),
        "ends_at": delegation.ends_at.isoformat(),
        "reason": delegation.reason,
    }
    uow.audit(given.subject, "delegation.given", str(delegation.id), details)
    _tell(uow, delegation, sequence=1, by=given.subject)


async def lock(connection: asyncpg.Connection, id_: UUID) -> Delegation | None:
    row = await connection.fetchrow(LOCK, id_)
    return _delegation(row) if row else None


async def revoke(uow: UnitOfWork, delegation: Delegation, *, by: str, reason: str | None = None) -> None:
    """From now on. What was decided under it stands."""
    now = uow.clock.now()
    await (await uow.sql()).execute(REVOKE, delegation.id, now)
    uow.audit(by, "delegation.revoked", str(delegation.id), {"reason": reason} if reason else None)
    # It is given once and revoked once.
    _tell(uow, replace(delegation, revoked_at=now), sequence=2, by=by)


def _tell(uow: UnitOfWork, delegation: Delegation, *, sequence: int, by: str) -> None:
    changed = DelegationChanged(
        id=delegation.id,
        role=delegation.role,
        delegator=delegation.delegator.subject,
        substitute=delegation.substitute.subject,
        begins_at=delegation.begins_at,
        ends_at=delegation.ends_at,
        reason=delegation.reason,
        revoked_at=delegation.revoked_at,
        changed_by=by,
    )
    uow.emit(GOVERNANCE, "assent.governance.delegation.changed.v1", str(delegation.id), sequence, changed)


def _delegation(row: Mapping[str, Any]) -> Delegation:
    return Delegation(
        id=row["id"],
        role=row["role"],
        delegator=Person(row["delegator_issuer"], row["delegator"]),
        substitute=Person(row["substitute_issuer"], row["substitute"]),
        begins_at=row["begins_at"],
        ends_at=row["ends_at"],
        reason=row["reason"],
        revoked_at=row["revoked_at"],
    )
