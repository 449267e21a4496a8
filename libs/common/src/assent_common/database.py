"""Postgres: one engine a process, one transaction per request or batch, committed at the edge."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import orjson
from sqlalchemy import URL, event, make_url, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from assent_common import telemetry
from assent_common.bare import IDLE_S, Bare, Use
from assent_common.clock import Clock
from assent_common.uow import UnitOfWork

_TRANSIENT_STATES = ("08", "25006", "28", "3D", "40", "53", "55P03", "57014", "57P", "58")
"""Connection lost, a standby where the primary was, not let in, no such database (yet), rolled back in a conflict, out
of resources, lock not to be had, cancelled, server going down, a disk that fails: the database's fault, never the
statement's.
"""


class Database:
    """The one database of a service."""

    def __init__(
        self,
        url: str,
        *,
        service: str,
        clock: Clock,
        pool_size: int = 10,
        statement_timeout_s: int = 0,
        idle_timeout_s: int = 0,
    ) -> None:
        self.service = service
        self.clock = clock
        self.pool_size = pool_size
        self.outbox_written = asyncio.Event()
        """Set after each commit that wrote events: the relay need not wait for its next poll."""
        self.changes = 0
        """How many commits of this process wrote events."""
        self.settled = asyncio.Event()
        """Set once it is known whether it was restored: nothing is published and nothing consumed before."""
        self.settled.set()
        self.generation = 0
        """How often it was, when it was settled."""
        reached, tls, tls_anew = _reached(url)
        self.engine = create_async_engine(
            reached,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=5,
            json_serializer=lambda value: orjson.dumps(value).decode(),
            json_deserializer=orjson.loads,
            connect_args={
                "timeout": 5,
                # Else a timer makes each statement anew after five minutes, and keeps alive for as long what was the
                # first to ask it. Postgres plans it anew by itself when what it rests on changes.
                "max_cached_statement_lifetime": 0,
                **tls,
                "server_settings": {
                    "application_name": f"assent-{service}",
                    "timezone": "UTC",
                    **_limits(statement_timeout_s, idle_timeout_s),
                },
            },
        )
        if tls_anew is not None:
            _look_at_certificates(self.engine, tls_anew)
        _ping_what_was_idle(self.engine)
        self._bare = Bare(self.engine)
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False, autoflush=False)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[UnitOfWork]:
        """A unit of work: committed with its audit records and events when the block ends, undone when it raises."""
        with telemetry.one_cause():
            async with self._bare.beside_a_session(), self._sessions() as session, session.begin():
                uow = UnitOfWork(session, service=self.service, clock=self.clock)
                yield uow
                wrote_events = await uow.flush()
        if wrote_events:
            self.changes += 1
            self.outbox_written.set()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """A session for reading: nothing is committed."""
        async with self._bare.beside_a_session(), self._sessions() as session:
            yield session

    def connection(self) -> Use:
        """A bare asyncpg connection of the pool, each statement its own transaction: for duties and hot reads."""
        return Use(self._bare)

    async def ping(self) -> None:
        async with asyncio.timeout(3), self.reading() as session:
            await session.execute(text("select 1"))

    async def close(self) -> None:
        await self._bare.close()
        await self.engine.dispose()


def _limits(statement_s: int, idle_s: int) -> Mapping[str, str]:
    """What Postgres ends by itself. Not named where there is none: a pooler may know no such parameter."""
    limits = {"statement_timeout": statement_s, "idle_in_transaction_session_timeout": idle_s}
    return {name: f"{seconds}s" for name, seconds in limits.items() if seconds}


_LIBPQS = ("sslmode", "sslrootcert", "sslcert", "sslkey")


def _reached(url: str) -> tuple[URL, Mapping[str, Any], Callable[[], ssl.SSLContext] | None]:
    """libpq's `sslmode` and the files beside it, as every other client reads them, for a dialect that does not."""
    parsed = make_url(url)
    mode, authority, own, key = (_one(parsed.query.get(name)) for name in _LIBPQS)
    plain = parsed.difference_update_query(_LIBPQS)
    if mode is None:
        return plain, {}, None
    if not mode.startswith("verify-") and (own is None or mode != "require"):
        return plain, {"ssl": mode}, None

    def context() -> ssl.SSLContext:
        made = ssl.create_default_context(cafile=authority)
        made.check_hostname = mode == "verify-full"
        if not mode.startswith("verify-"):
            made.verify_mode = ssl.CERT_NONE
        if own is not None:
            # A key with a passphrase would have it asked for on the terminal.
            made.load_cert_chain(own, key, password="")
        return made

    return plain, {"ssl": context()}, context


def _one(value: str | tuple[str, ...] | None) -> str | None:
    return value if isinstance(value, str) else None


def _look_at_certificates(engine: AsyncEngine, anew: Callable[[], ssl.SSLContext]) -> None:
    """At each connection that is made, for files are replaced while a service runs."""

    @event.listens_for(engine.sync_engine, "do_connect")
    def look(_: object, __: object, ___: object, given: dict[str, Any]) -> None:
        given["ssl"] = anew()


def _ping_what_was_idle(engine: AsyncEngine) -> None:
    """What lay in the pool may have died there: ask before it is used. What was used just now is not asked again."""

    @event.listens_for(engine.sync_engine, "checkin")
    def note(_: DBAPIConnection | None, record: ConnectionPoolEntry) -> None:
        record.info["used_at"] = time.monotonic()

    @event.listens_for(engine.sync_engine, "checkout")
    def ask(connection: DBAPIConnection, record: ConnectionPoolEntry, _: PoolProxiedConnection) -> None:
        driver: asyncpg.Connection = record.driver_connection
        if driver.is_closed():
            raise DisconnectionError("it was closed while it lay here, or before it came back")
        used_at = record.info.get("used_at")
        if used_at is None or time.monotonic() - used_at < IDLE_S:
            return
        dialect = engine.sync_engine.dialect
        try:
            dialect.do_ping(connection)
        except (dialect.loaded_dbapi.Error, OSError) as error:
            # The pool makes another.
            raise DisconnectionError(repr(error)) from error


def is_transient(error: BaseException) -> bool:
    """Whether the same statement may succeed later without anybody changing anything."""
    if isinstance(error, PoolTimeout | TimeoutError):
        return True
    if isinstance(error, asyncpg.InvalidCachedStatementError | asyncpg.OutdatedSchemaCacheError):
        # A newer release migrated meanwhile. The connection has forgotten the statement, and makes it anew.
        return True
    if isinstance(error, asyncpg.InternalClientError):
        # A connection that was terminated in the middle of an operation never comes out of it.
        return "another operation" in str(error)
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
