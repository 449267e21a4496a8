"""What was told last of an entity, as the outbox keeps it for good."""

from collections.abc import Collection

import asyncpg

from assent_common.events import envelope
from assent_common.events.envelope import CloudEvent
from assent_common.kafka.topics import Topic

# Index: outbox_entity.
LAST = """
select last.body
  from unnest($2::text[]) as o(key),
       lateral (select body from outbox where topic = $1 and key = o.key order by id desc limit 1) last
"""


async def last(connection: asyncpg.Connection, topic: Topic, subjects: Collection[str]) -> dict[str, CloudEvent]:
    """The last event of each of these, by subject; without those of which nothing was told yet.

    What the transaction at hand is to tell is not among them: that is written at its end.
    """
    if not subjects:
        return {}
    rows = await connection.fetch(LAST, topic.name, list(subjects))
    events = [envelope.from_bytes(row["body"]) for row in rows]
    return {event.subject: event for event in events}
