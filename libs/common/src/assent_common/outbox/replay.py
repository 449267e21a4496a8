"""Publish everything again: the last row of each entity, as it was."""

import asyncpg

from assent_common import metrics

# A row that a newer one of its entity has overtaken by the time the relay comes is not sent: see relay.TAKE.
# Not `published_at is not null`: counted last while all were waiting, Postgres would take for granted that nothing was
# published, and look through all entities for each. Index: outbox_entity.
REPLAY = """
with last as (
    select max(id) as id from outbox where topic = $1 and ($2::text is null or scope = $2) group by key
)
update outbox o set published_at = null, replayed = true
  from last
 where o.id = last.id and coalesce(o.published_at, '-infinity') <> '-infinity'
"""


# It is as long as there are entities: until the end of the caller's transaction.
WITHOUT_LIMIT = "set local statement_timeout = 0"


async def replay(connection: asyncpg.Connection, topic: str, scope: str | None = None) -> int:
    """Mark the current state of every entity (of one scope) for publication; the relay sends it. Returns how many.

    In a transaction of the caller's.

    Sequences, ids and bytes stay the same: a consumer that has it already is not changed by it.
    """
    await connection.execute(WITHOUT_LIMIT)
    status: str = await connection.execute(REPLAY, topic, scope)
    count = int(status.rsplit(" ", 1)[-1])
    metrics.OUTBOX_REPLAYED.inc(count)
    return count
