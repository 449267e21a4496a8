"""Write events in my transaction."""

import zlib
from collections.abc import Sequence
from typing import NamedTuple

import asyncpg

from assent_common.events import envelope
from assent_common.kafka.topics import Topic

RANGES = 16
"""Into how many ranges keys are split. Each is published by one relay at a time."""

INSERT = """
insert into outbox (topic, key, range, scope, sequence, body)
select * from unnest($1::text[], $2::text[], $3::smallint[], $4::text[], $5::bigint[], $6::bytea[])
"""


class EventTooLarge(ValueError):
    """The broker would not take it: its producer must send less."""


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
    """Ids are taken here, after the entities' row locks, so that per key their order is the order of commits."""
    if rows:
        await connection.execute(INSERT, *map(list, zip(*rows, strict=True)))
