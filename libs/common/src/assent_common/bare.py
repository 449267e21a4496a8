"""Bare asyncpg connections out of SQLAlchemy's pool, for what is read so often that the way through the pool shows."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.pool import AsyncAdaptedQueuePool

IDLE_S = 1.0
"""What lay longer may have died meanwhile."""
WAIT_S = 5.0


@dataclass(slots=True)
class Taken:
    """A connection that is out of the pool."""

    driver: asyncpg.Connection
    connection: AsyncConnection
    used_at: float = 0.0


class Bare:
    """Connections that stay out of the pool between two uses and go from one to the next by hand.

    The pool's limit holds for these and the sessions together, and a session never waits while one lies idle here.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        assert isinstance(engine.pool, AsyncAdaptedQueuePool)
        self._pool = engine.pool
        self._autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._idle: list[Taken] = []
        self._waiting: deque[asyncio.Future[Taken | None]] = deque()
        #: How many are out of the pool here, idle or in use.
        self._out = 0
        #: Whoever has a connection straight from the pool, or will want one.
        self._sessions = 0

    async def take(self) -> Taken:
        """Raises TimeoutError when none comes free within WAIT_S. To be given back by `keep` or `put_back`."""
        while self._idle:
            taken = self._idle.pop()
            if time.monotonic() - taken.used_at < IDLE_S and not taken.driver.is_closed():
                return taken
            # The pool asks whether it lives before it gives it out again.
            await self.put_back(taken)
        if self._free() <= 0 and self._out and (handed := await self._handed()) is not None:
            return handed
        # Until it has one it waits for the pool as a session does.
        self._sessions += 1
        try:
            connection = await self._autocommit.connect()
            self._out += 1
        finally:
            self._sessions -= 1
        try:
            raw = await connection.get_raw_connection()
            assert raw.driver_connection is not None
        except BaseException:
            await self._close(connection)
            raise
        return Taken(raw.driver_connection, connection)

    async def keep(self, taken: Taken) -> None:
        """After a use that ended well."""
        if taken.driver.is_closed() or self._scarce():
            await self.put_back(taken)
            return
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(taken)
                return
        taken.used_at = time.monotonic()
        self._idle.append(taken)

    async def put_back(self, taken: Taken) -> None:
        """After a use that did not: the pool sees to it."""
        await self._close(taken.connection)

    @asynccontextmanager
    async def beside_a_session(self) -> AsyncIterator[None]:
        """Around the life of a session, which takes its connection from the pool when it needs one."""
        self._sessions += 1
        try:
            while self._idle and self._scarce():
                await self.put_back(self._idle.pop(0))
            yield
        finally:
            self._sessions -= 1
            # Its connection is in the pool again: who waits for one of these here need not, however long they are kept.
            self._wake()

    async def close(self) -> None:
        while self._idle:
            await self.put_back(self._idle.pop())

    async def _handed(self) -> Taken | None:
        """What somebody is done with; None when the pool has one again."""
        waiter: asyncio.Future[Taken | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            async with asyncio.timeout(WAIT_S):
                return await waiter
        except BaseException:
            if waiter.done() and not waiter.cancelled():
                # It came at the moment at which we went away.
                handed = waiter.result()
                await self.keep(handed) if handed is not None else self._wake()
            elif waiter in self._waiting:
                self._waiting.remove(waiter)
            raise

    async def _close(self, connection: AsyncConnection) -> None:
        try:
            await asyncio.shield(connection.close())
        finally:
            self._out -= 1
            self._wake()

    def _wake(self) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def _free(self) -> int:
        return self._pool.size() - self._pool.checkedout()

    def _scarce(self) -> bool:
        """Whether a session may have to wait for the pool."""
        served = self._pool.checkedout() - self._out
        return self._free() < self._sessions - served


class Use:
    """One use of a connection. A class, for it is on the way of every read and a generator takes twice as long."""

    def __init__(self, bare: Bare) -> None:
        self._bare = bare

    async def __aenter__(self) -> asyncpg.Connection:
        self._taken = await self._bare.take()
        return self._taken.driver

    async def __aexit__(self, failed: type[BaseException] | None, *_: object) -> None:
        await (self._bare.keep(self._taken) if failed is None else self._bare.put_back(self._taken))
