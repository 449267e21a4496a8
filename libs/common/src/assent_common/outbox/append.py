"""Write events in my transaction."""

import zlib
from collections.abc import Sequence
from typing import NamedTuple

import asyncpg

from assent_common import ids
from assent_common.events import envelope
from assent_common.events.envelope import CloudEvent
from assent_common.kafka.topics import Topic

RANGES = 16
"""Into how many ranges keys are split. Each is published by one relay at a time."""

INSERT = """
insert into outbox (topic, key, range, scope, sequence, body)
select * from unnest($1::text[], $2::text[], $3::smallint[], $4::text[], $5::bigint[], $6::bytea[])
"""


class EventTooLarge(ValueError):
    """The broker would not take it: its producer must send less."""


GENERATION = 1 << 32
"""By so much the sequences of one generation stand above those of the one before: no entity changes so often.

Positions do, too: the generation of a database is the upper half of where its feed stands.
"""

# Not while another process finds out that the database was restored: its transaction holds the lock.
NUMBER = "select value >> 32 from outbox_position where pg_try_advisory_xact_lock_shared($1)"
LOCK = 1_634_956_148


class BeingRestored(TimeoutError):
    """What was restored is just being brought in step with what was told since. Try again."""


class Row(NamedTuple):
    topic: str
    key: str
    range: int
    scope: str | None
    sequence: int
    body: bytes

    @classmethod
    def of(cls, topic: Topic, type: str, key: str, sequence: int, body: bytes, scope: str | None) -> "Row":
        """Raises EventTooLarge."""
        bytes_of_key = key.encode()
        size = len(body) + len(bytes_of_key)
        if size > envelope.MAX_BYTES:
            raise EventTooLarge(f"{type} of {key[:200]} has {size} bytes")
        return cls(topic.name, key, zlib.crc32(bytes_of_key) % RANGES, scope, sequence, body)


async def insert(connection: asyncpg.Connection, rows: Sequence[Row]) -> None:
    """Ids are taken here, after the entities' row locks, so that per key their order is the order of commits.

    Raises BeingRestored.
    """
    if not rows:
        return
    generation: int | None = await connection.fetchval(NUMBER, LOCK)
    if generation is None:
        raise BeingRestored
    told = [_in(generation, row) for row in rows] if generation else rows
    await connection.execute(INSERT, *map(list, zip(*told, strict=True)))


async def again(connection: asyncpg.Connection, topic: Topic, events: Sequence[tuple[CloudEvent, str | None]]) -> None:
    """What was told before, each with its scope, as events of this generation."""
    rows = []
    for event, scope in events:
        number = event.number % GENERATION
        body = envelope.to_bytes(event.model_copy(update={"id": str(ids.new()), "sequence": str(number)}))
        rows.append(Row.of(topic, event.type, event.subject, number, body, scope))
    await insert(connection, rows)


def _in(generation: int, row: Row) -> Row:
    """Beyond whatever was told of the entity before the database was restored."""
    number = row.sequence + generation * GENERATION
    event = envelope.from_bytes(row.body).model_copy(update={"sequence": str(number)})
    return row._replace(sequence=number, body=envelope.to_bytes(event))
