"""Who did what, when, on what: append-only, and chained so that an edit, a deletion or a cut shows.

Records are inserted without chain fields, so that no lock joins the writers. One sealer, under a lease, gives each its
`seq`, the hash of the one before and its own.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import asyncpg
import orjson

from assent_common import canonical
from assent_common.clock import to_utc

GENESIS = "sha256:" + "0" * 64

INSERT = """
insert into audit (at, actor, action, subject, details, correlation_id)
select at, actor, action, subject, details::jsonb, correlation_id
  from unnest($1::timestamptz[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
       as r(at, actor, action, subject, details, correlation_id)
"""
LAST = "select seq, hash from audit where seq is not null order by seq desc limit 1"
# Index: audit_unsealed.
UNSEALED = "select * from audit where seq is null order by id limit $1"
# The lease cannot pass to another until the transaction ends.
HOLD = "select from leases where duty = 'audit-sealer' and fence = $1 for share"
SEAL = """
update audit a set seq = s.seq, previous = s.previous, hash = s.hash
  from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[]) as s(id, seq, previous, hash)
 where a.id = s.id
"""
SEALED_AT_ONCE = 1000
SEALED = "select * from audit where seq > $1 order by seq limit 1000"


class Record(NamedTuple):
    at: datetime
    actor: str
    action: str
    subject: str
    details: dict[str, Any]
    correlation_id: str


class Head(NamedTuple):
    """The last record of the chain, and its hash over all before it."""

    seq: int
    hash: str


class Tampered(Exception):
    """The chain does not hold from this record on."""

    def __init__(self, seq: int, why: str) -> None:
        super().__init__(f"audit record {seq}: {why}")
        self.seq = seq


async def insert(connection: asyncpg.Connection, records: Sequence[Record]) -> None:
    if records:
        at, actor, action, subject, details, correlation = map(list, zip(*records, strict=True))
        texts = [orjson.dumps(detail).decode() for detail in details]
        await connection.execute(INSERT, at, actor, action, subject, texts, correlation)


async def seal(connection: asyncpg.Connection, fence: int, limit: int = SEALED_AT_ONCE) -> int:
    """Chain what is not chained yet, in the order of ids. Returns how many: none without the lease `audit-sealer`."""
    async with connection.transaction():
        if await connection.fetchrow(HOLD, fence) is None:
            return 0
        last = await connection.fetchrow(LAST)
        seq, previous = (last["seq"], last["hash"]) if last else (0, GENESIS)
        rows = await connection.fetch(UNSEALED, limit)
        chain = []
        for row in rows:
            seq += 1
            digest = _hash(seq, previous, row)
            chain.append((row["id"], seq, previous, digest))
            previous = digest
        if chain:
            await connection.execute(SEAL, *map(list, zip(*chain, strict=True)))
    return len(chain)


async def head(connection: asyncpg.Connection) -> Head:
    """Where the chain ends now: to be kept elsewhere, for `verify`."""
    last = await connection.fetchrow(LAST)
    return Head(last["seq"], last["hash"]) if last else Head(0, GENESIS)


async def verify(connection: asyncpg.Connection, remembered: Head | None = None) -> int:
    """Walk the whole chain. Returns how many records hold; raises Tampered naming the first that does not.

    A tail that was cut off, or a chain that was made anew, is found only by who remembers where it once ended.
    """
    seq, previous = 0, GENESIS
    async for row in _sealed(connection):
        if row["seq"] != seq + 1:
            raise Tampered(seq + 1, "missing")
        if row["previous"] != previous:
            raise Tampered(row["seq"], "does not follow the one before it")
        if row["hash"] != _hash(row["seq"], previous, row):
            raise Tampered(row["seq"], "was changed")
        seq, previous = row["seq"], row["hash"]
        if remembered is not None and seq == remembered.seq and previous != remembered.hash:
            raise Tampered(seq, "is not the one that is remembered")
    if remembered is not None and seq < remembered.seq:
        raise Tampered(remembered.seq, "was cut off")
    return seq


async def _sealed(connection: asyncpg.Connection) -> AsyncIterator[Any]:
    seq = 0
    while rows := await connection.fetch(SEALED, seq):
        for row in rows:
            yield row
            seq = row["seq"]


def _hash(seq: int, previous: str, row: Any) -> str:
    return canonical.digest(
        {
            "seq": seq,
            "previous": previous,
            "id": row["id"],
            "at": to_utc(row["at"]).isoformat(timespec="microseconds"),
            "actor": row["actor"],
            "action": row["action"],
            "subject": row["subject"],
            "details": _doubles(orjson.loads(row["details"]) if isinstance(row["details"], str) else row["details"]),
            "correlation_id": row["correlation_id"],
        }
    )


def _doubles(value: Any) -> Any:
    """As it was before jsonb, which writes a large float without its exponent: read back, it would be an integer."""
    match value:
        case dict():
            return {key: _doubles(item) for key, item in value.items()}
        case list():
            return [_doubles(item) for item in value]
        case int() if abs(value) > 2**53:
            return float(value)
    return value
