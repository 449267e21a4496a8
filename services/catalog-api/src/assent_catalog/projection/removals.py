"""What its source no longer has, and since which sequence.

Kept beside what was observed, so that a removal and an observation come to the same whichever is heard of first.
"""

from collections.abc import Sequence

import asyncpg
from assent_common.events.envelope import CloudEvent
from assent_common.events.registry import Removed

KEEP = """
insert into removals as r (urn, sequence)
select urn, max(sequence) from unnest($1::text[], $2::bigint[]) as e(urn, sequence) group by urn order by urn
on conflict (urn) do update set sequence = excluded.sequence where excluded.sequence > r.sequence
"""


async def keep(connection: asyncpg.Connection, events: Sequence[tuple[CloudEvent, Removed]]) -> None:
    """Before anything that was observed is written."""
    if events:
        await connection.execute(KEEP, [gone.urn for _, gone in events], [event.number for event, _ in events])
