"""A service's own events by their gapless position, which is given when an event is published.

As on the topic, the last state of every entity is kept for good, what it overtook for a week.
"""

import asyncio
from bisect import bisect_right
from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

import asyncpg
import orjson

from assent_common.database import Database
from assent_common.supervise import pause

HEAD = "select value from outbox_position"
# What is overtaken and older is pruned: see relay.PRUNE.
STILL_THERE = "select exists (select from outbox where position = $1 and published_at > now() - interval '7 days')"
# Index: the unique position.
NEXT = "select position, body from outbox where position > $1 order by position limit $2"

AT_ONCE = 200
LOOK_EVERY_S = 0.2
MOST_KEPT = 1_000
MOST_KEPT_BYTES = 8_000_000


class Told(NamedTuple):
    position: int
    #: The CloudEvent, as it was published, and its type; nothing as a sign of life.
    body: bytes | None
    type: str | None = None


class Feed:
    """For all who follow in this process: one look at the database each fifth of a second, and what is new is read
    once, however many they are. Only who is further behind than what is kept here reads for himself."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._looking = asyncio.Lock()
        self._looked_at = float("-inf")
        self._head = 0
        #: The last events: all behind `_kept_from`, up to the head.
        self._kept: list[Told] = []
        self._kept_from = 0
        self._news: asyncio.Task[None] | None = None
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
                for told in await self._beyond(position):
                    position, told_at = told.position, loop.time()
                    yield told
                if self._head <= position:
                    await self._wait_for_news(stopping, min(told_at + heartbeat_s, ends_at) - loop.time())
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
                    await self._look(connection)
                self._looked_at = loop.time()
            return self._head

    async def has_lost(self, after: int) -> bool:
        """Whether some of what came behind a position may be gone."""
        async with self._database.connection() as connection:
            if after > await connection.fetchval(HEAD):
                # The database was restored to an earlier moment.
                return True
            return after > 0 and not await connection.fetchval(STILL_THERE, after)

    async def _wait_for_news(self, stopping: asyncio.Event, most_s: float) -> None:
        """All share one who looks. Raises what he comes upon."""
        if self._news is None or self._news.done():
            self._news = asyncio.create_task(self._until_news(stopping, self._head))
            # Where nobody waits any more, nobody asks what he came upon.
            self._news.add_done_callback(lambda task: task.cancelled() or task.exception())
        news = self._news
        await asyncio.wait({news}, timeout=max(0.0, most_s))
        if news.done():
            news.result()

    async def _until_news(self, stopping: asyncio.Event, head: int) -> None:
        while self.followers and not stopping.is_set() and await self.head() == head:
            await pause(stopping, LOOK_EVERY_S)

    async def _look(self, connection: asyncpg.Connection) -> None:
        head: int = await connection.fetchval(HEAD)
        if not 0 <= head - self._head <= MOST_KEPT:
            # The first look, or nobody followed for a while; or the database was restored to an earlier moment.
            self._kept, self._kept_from, self._head = [], head, head
        while self._head < head:
            fresh = await _read(connection, self._head)
            self._kept += fresh
            self._head = fresh[-1].position if fresh else head
        self._forget()

    def _forget(self) -> None:
        size, keep = 0, 0
        for told in reversed(self._kept):
            size += len(told.body or b"")
            if keep == MOST_KEPT or size > MOST_KEPT_BYTES:
                break
            keep += 1
        if forgotten := self._kept[: len(self._kept) - keep]:
            self._kept, self._kept_from = self._kept[len(forgotten) :], forgotten[-1].position

    async def _beyond(self, position: int) -> Sequence[Told]:
        if await self.head() <= position:
            return ()
        if position >= self._kept_from:
            return self._kept[bisect_right(self._kept, position, key=lambda told: told.position) :]
        async with self._database.connection() as connection:
            return await _read(connection, position)


async def _read(connection: asyncpg.Connection, after: int) -> list[Told]:
    rows = await connection.fetch(NEXT, after, AT_ONCE)
    return [Told(row["position"], row["body"], orjson.loads(row["body"])["type"]) for row in rows]
