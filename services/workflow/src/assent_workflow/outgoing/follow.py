"""Make of every event that is published what is to be sent of it: nothing is forgotten, nothing made twice."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Literal

import asyncpg

Cursor = Literal["webhook_cursor", "notification_cursor"]
Make = Callable[[Sequence[Mapping[str, Any]]], Awaitable[None]]

POSITION = "select position from {cursor} for update skip locked"
# Without gaps: what is behind the cursor was seen to, what is beyond it was not. Index: the unique position.
NEXT = "select position, body from outbox where position > $1 order by position limit $2"
MOVE = "update {cursor} set position = $1"


async def follow(connection: asyncpg.Connection, cursor: Cursor, make: Make, *, most: int = 200) -> int:
    """Hand on the events behind the last position; how many there were.

    In one transaction, the caller's, with the position: who makes rows of them here makes each once. Only one process
    does it at a time, and the others find nothing to do.
    """
    position = await connection.fetchval(POSITION.format(cursor=cursor))
    if position is None:
        return 0
    events = await connection.fetch(NEXT, position, most)
    if events:
        await make(events)
        await connection.execute(MOVE.format(cursor=cursor), events[-1]["position"])
    return len(events)
