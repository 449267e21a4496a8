"""A service's own events by their gapless position, which is given when an event is published.

As on the topic, the last state of every entity is kept for good, what it overtook for a week.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import NamedTuple

import asyncpg

from assent_common.database import Database
from assent_common.supervise import pause

HEAD = "select value from outbox_position"
# What is overtaken and older is pruned: see relay.PRUNE.
STILL_THERE = "select exists (select from outbox where position = $1 and published_at > now() - interval '7 days')"
# Index: the unique position.
NEXT = "select position, body from outbox where position > $1 order by position limit $2"

AT_ONCE = 200
LOOK_EVERY_S = 0.2


class Told(NamedTuple):
    position: int
    #: The CloudEvent, as it was published; nothing as a sign of life.
    body: bytes | None


class Feed:
    """For all who follow in this process: they share one look at the database each fifth of a second."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._looking = asyncio.Lock()
        self._looked_at = float("-inf")
        self._head = 0
        self.followers = 0

    async def follow(
        self, after: int | None, stopping: asyncio.Event, *, for_s: float, heartbeat_s: float
    ) -> AsyncIterator[Told]:
        """What comes behind a position, or from now on without one; with a sign of life where nothing comes.

        Ends after `for_s`, and with the service.
        """
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + for_s
        self.followers += 1
        try:
            position = after if after is not None else await self.head()
            yield Told(position, None)
            told_at = loop.time()
            while not stopping.is_set() and loop.time() < ends_at:
                for row in await self._beyond(position):
                    position, told_at = row["position"], loop.time()
                    yield Told(position, row["body"])
                if await self.head() <= position:
                    await pause(stopping, LOOK_EVERY_S)
                if loop.time() - told_at >= heartbeat_s:
                    yield Told(position, None)
                    told_at = loop.time()
        finally:
            self.followers -= 1

    async def head(self) -> int:
        """The position of the last event that was published, not older than a fifth of a second."""
        loop = asyncio.get_running_loop()
        async with self._looking:
            if loop.time() - self._looked_at >= LOOK_EVERY_S:
                async with self._database.connection() as connection:
                    self._head = await connection.fetchval(HEAD)
                self._looked_at = loop.time()
            return self._head

    async def has_lost(self, after: int) -> bool:
        """Whether some of what came behind a position may be gone."""
        async with self._database.connection() as connection:
            if after > await connection.fetchval(HEAD):
                # The database was restored to an earlier moment.
                return True
            return after > 0 and not await connection.fetchval(STILL_THERE, after)

    async def _beyond(self, position: int) -> list[asyncpg.Record]:
        if await self.head() <= position:
            return []
        async with self._database.connection() as connection:
            return list(await connection.fetch(NEXT, position, AT_ONCE))
