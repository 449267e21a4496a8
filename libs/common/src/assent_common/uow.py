"""A unit of work: what changes, who did it and what is told about it are committed together or not at all."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from assent_common import audit, canonical, telemetry
from assent_common.clock import Clock
from assent_common.events import envelope
from assent_common.events.model import Payload
from assent_common.kafka.topics import Topic
from assent_common.outbox import append

Look = Callable[["UnitOfWork", frozenset[str]], Awaitable[None]]


class UnitOfWork:
    """One transaction. `Database.transaction()` makes it and commits it; nothing inside commits."""

    def __init__(self, session: AsyncSession, *, service: str, clock: Clock) -> None:
        self.session = session
        self.clock = clock
        self._service = service
        self._begun = False
        self._events: list[append.Row] = []
        self._records: list[audit.Record] = []
        self._last: dict[Look, set[str]] = {}

    async def sql(self) -> asyncpg.Connection:
        """The transaction's own asyncpg connection, for `unnest` and COPY. Flush a changed session before."""
        connection = await self.session.connection()
        if not self._begun:
            # SQLAlchemy begins with the first statement that goes through itself: before it, each of asyncpg's own
            # would be a transaction of its own.
            await connection.execute(text("select"))
            self._begun = True
        raw = await connection.get_raw_connection()
        assert raw.driver_connection is not None
        return raw.driver_connection

    def emit(
        self,
        topic: Topic,
        type: str,
        subject: str,
        sequence: int,
        data: Payload,
        *,
        scope: str | None = None,
        cause: telemetry.Cause | None = None,
    ) -> None:
        """Tell the world the whole state of one entity, once this transaction is committed.

        The caller holds the entity's row lock, taken when its `sequence` grew: rows are written when the block ends,
        so that per entity the order of rows is the order of commits. `scope` names what a replay can be limited to
        (a source's name). `cause` is what it is told in the name of, where not of all that goes on here. Raises
        EventTooLarge for more than the broker takes.
        """
        correlation_id, traceparent = cause or (telemetry.correlation_id(), telemetry.traceparent())
        body = envelope.body(
            source=f"/assent/{self._service}",
            type=type,
            subject=subject,
            sequence=sequence,
            time=self.clock.now(),
            data=data,
            correlation_id=correlation_id,
            traceparent=traceparent,
        )
        self._events.append(append.Row.of(topic, type, subject, sequence, body, scope))

    @property
    def told(self) -> frozenset[str]:
        """Of whom something was told so far."""
        return frozenset(row.key for row in self._events)

    def audit(self, actor: str, action: str, subject: str, details: Mapping[str, Any] | None = None) -> None:
        """Keep who did what to what, for ever. Raises ValueError or TypeError where `details` is not canonical JSON."""
        canonical.dumps(details or {})
        self._records.append(
            audit.Record(
                at=self.clock.now(),
                actor=actor,
                action=action,
                subject=subject,
                details=dict(details or {}),
                correlation_id=telemetry.correlation_id(),
            )
        )

    def at_the_end(self, look: Look, about: str) -> None:
        """Look once, at everything that it was asked to look at, when all else of this transaction is written."""
        self._last.setdefault(look, set()).add(about)

    async def flush(self) -> bool:
        """Write what was told and recorded. True if there were events. Called by `Database.transaction()`."""
        await self.session.flush()
        while self._last:
            look, about = self._last.popitem()
            await look(self, frozenset(about))
        if not self._events and not self._records:
            return False
        connection = await self.sql()
        await audit.insert(connection, self._records)
        await append.insert(connection, self._events)
        return bool(self._events)
