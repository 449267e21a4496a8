"""Postgres: one engine a process, one transaction per request or batch, committed at the edge."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import orjson
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from assent_common import telemetry
from assent_common.clock import Clock
from assent_common.uow import UnitOfWork

_TRANSIENT_STATES = ("08", "25006", "28", "3D", "40", "53", "55P03", "57014", "57P", "58")
"""Connection lost, a standby where the primary was, not let in, no such database (yet), rolled back in a conflict, out
of resources, lock not to be had, cancelled, server going down, a disk that fails: the database's fault, never the
statement's.
"""


class Database:
    """The one database of a service."""

    def __init__(self, url: str, *, service: str, clock: Clock, pool_size: int = 10) -> None:
        self.service = service
        self.clock = clock
        self.outbox_written = asyncio.Event()
        """Set after each commit that wrote events: the relay need not wait for its next poll."""
        self.engine = create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=5,
            pool_pre_ping=True,
            json_serializer=lambda value: orjson.dumps(value).decode(),
            json_deserializer=orjson.loads,
            connect_args={
                "timeout": 5,
                "server_settings": {"application_name": f"assent-{service}", "timezone": "UTC"},
            },
        )
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False, autoflush=False)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[UnitOfWork]:
        """A unit of work: committed with its audit records and events when the block ends, undone when it raises."""
        with telemetry.one_cause():
            async with self._sessions() as session, session.begin():
                uow = UnitOfWork(session, service=self.service, clock=self.clock)
                yield uow
                wrote_events = await uow.flush()
        if wrote_events:
            self.outbox_written.set()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """A session for reading: nothing is committed."""
        async with self._sessions() as session:
            yield session

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.Connection]:
        """A bare asyncpg connection of the pool, each statement its own transaction: for duties and hot reads."""
        async with self.engine.connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            raw = await connection.get_raw_connection()
            assert raw.driver_connection is not None
            yield raw.driver_connection

    async def ping(self) -> None:
        async with asyncio.timeout(3), self.reading() as session:
            await session.execute(text("select 1"))

    async def close(self) -> None:
        await self.engine.dispose()


def is_transient(error: BaseException) -> bool:
    """Whether the same statement may succeed later without anybody changing anything."""
    if isinstance(error, PoolTimeout | TimeoutError):
        return True
    if isinstance(error, asyncpg.InterfaceError):
        # Others of this class, DataError among them, blame the statement or its values.
        return "connection is closed" in str(error) or "connection was closed" in str(error)
    if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
        return True
    if isinstance(error, DBAPIError):
        if error.connection_invalidated:
            return True
        return error.orig is not None and is_transient(error.orig)
    state = getattr(error, "sqlstate", None)
    if isinstance(state, str):
        return state.startswith(_TRANSIENT_STATES)
    cause = error.__cause__
    return cause is not None and is_transient(cause)
