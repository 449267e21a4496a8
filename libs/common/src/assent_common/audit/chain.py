"""The chain: each record's hash is over itself and the hash of the one before, so that an edit, a deletion, an
insertion or another order shows.

Records are inserted without chain fields, so that no lock joins the writers. One sealer, under a lease, gives each its
`seq`, the hash of the one before and its own. What the chain cannot show by itself, a tail cut off or a chain made
anew, shows beside a head that was kept elsewhere: see `checkpoints`.
"""

import hashlib
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
GUARDS = """
select count(*) from pg_trigger
 where tgrelid = 'audit'::regclass and tgname in ('audit_append_only', 'audit_never_truncated')
   and tgenabled in ('O', 'A')
"""
SEALED = "select * from audit where seq > $1 order by seq limit 1000"


class Record(NamedTuple):
    at: datetime
    actor: str
    action: str
    subject: str
    details: dict[str, Any]
    correlation_id: str


class Head(NamedTuple):
    """Where the chain ended once: its last record, and the hash over that and all before it."""

    seq: int
    hash: str
    #: When and by whom it was kept, in words.
    kept: str = "when it was kept"


BEGINNING = Head(0, GENESIS)


class Fault(NamedTuple):
    """A record that does not hold. Without `id` where there is none in its place."""

    seq: int
    id: int | None
    why: str

    def __str__(self) -> str:
        where = f" (id {self.id})" if self.id is not None else ""
        return f"audit record {self.seq}{where}: {self.why}"


class Tampered(Exception):
    """The chain does not hold from this record on."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault._replace(id=None)))
        self.seq = fault.seq


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


class Walk:
    """Goes along a chain, record by record, and says what does not hold; after a fault it goes on from there."""

    def __init__(self, kept: Sequence[Head] = (), start: Head = BEGINNING) -> None:
        self.seq, self.hash = start.seq, start.hash
        self._kept: dict[int, list[Head]] = {}
        for each in kept:
            self._kept.setdefault(each.seq, []).append(each)

    def step(self, seq: int, previous: str, hash_: str, actual: str, id_: int) -> list[Fault]:
        """The next record: as what it was sealed, and what its content's hash is."""
        found = []
        if seq != self.seq + 1:
            more = f", and so is every one up to {seq - 1}" if seq > self.seq + 2 else ""
            found.append(Fault(self.seq + 1, None, f"missing{more}"))
        elif previous != self.hash:
            found.append(Fault(seq, id_, "does not follow the one before it"))
        if hash_ != actual:
            found.append(Fault(seq, id_, "was changed: it is not what was sealed"))
        found += [
            Fault(seq, id_, f"is not the one that stood here {kept.kept}")
            for kept in self._kept.get(seq, [])
            if kept.hash != hash_
        ]
        self.seq, self.hash = seq, hash_
        return found

    def end(self) -> list[Fault]:
        """The chain ends here. Did it go further once?"""
        beyond = [head for heads in self._kept.values() for head in heads if head.seq > self.seq]
        if not beyond:
            return []
        furthest = max(beyond, key=lambda head: head.seq)
        more = f", and so was every one from {self.seq + 1} on" if furthest.seq > self.seq + 1 else ""
        return [Fault(furthest.seq, None, f"was cut off: it stood here {furthest.kept}{more}")]


async def faults(connection: asyncpg.Connection, walk: Walk) -> AsyncIterator[Fault]:
    """All that does not hold, in order, as the walk comes by; `walk.seq` says then how far it came."""
    async for row in _sealed(connection, walk.seq):
        actual = _hash(row["seq"], row["previous"], row)
        for fault in walk.step(row["seq"], row["previous"], row["hash"], actual, row["id"]):
            yield fault
    for fault in walk.end():
        yield fault


async def verify(connection: asyncpg.Connection, remembered: Head | None = None) -> int:
    """Walk the whole chain. Returns how many records hold; raises Tampered naming the first that does not.

    A tail that was cut off, or a chain that was made anew, is found only by who remembers where it once ended.
    """
    walk = Walk([remembered] if remembered is not None else [])
    async for fault in faults(connection, walk):
        raise Tampered(fault)
    return walk.seq


async def is_guarded(connection: asyncpg.Connection) -> bool:
    """Whether the database itself still refuses to change records."""
    return bool(await connection.fetchval(GUARDS) == 2)


def line(row: Any) -> canonical.CanonicalJson:
    """A sealed record as the very bytes whose SHA-256 is its hash: who has these needs nothing of ours to check."""
    return _canonical(row["seq"], row["previous"], row)


async def _sealed(connection: asyncpg.Connection, seq: int) -> AsyncIterator[Any]:
    while rows := await connection.fetch(SEALED, seq):
        for row in rows:
            yield row
            seq = row["seq"]


def _hash(seq: int, previous: str, row: Any) -> str:
    return "sha256:" + hashlib.sha256(_canonical(seq, previous, row)).hexdigest()


def _canonical(seq: int, previous: str, row: Any) -> canonical.CanonicalJson:
    return canonical.dumps(
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
