"""What a service does between any two statements that it sends: stop, or die."""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

import asyncpg
from assent_common.database import Database
from sqlalchemy import event

Sent = Callable[[asyncpg.Connection, str], Awaitable[None]]

#: Called after each statement of a transaction, its BEGIN and its COMMIT among them, by who set it and what he calls.
SENT: ContextVar[Sent | None] = ContextVar("sent", default=None)


class Watched(asyncpg.Connection):  # type: ignore[misc]
    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:  # noqa: ASYNC109
        status: str = await super().execute(query, *args, timeout=timeout)
        if not args:
            await self._tell(query)
        return status

    async def _execute(self, query: str, args: Any, limit: int, *how: Any, **options: Any) -> Any:
        answer = await super()._execute(query, args, limit, *how, **options)
        if self.is_in_transaction():
            await self._tell(query)
        return answer

    async def _tell(self, query: str) -> None:
        sent = SENT.get()
        if sent is not None:
            await sent(self, query)


def watch(database: Database) -> None:
    """Before it has made its first connection."""

    @event.listens_for(database.engine.sync_engine, "do_connect")
    def connect(_dialect: object, _record: object, _args: object, parameters: dict[str, Any]) -> None:
        parameters["connection_class"] = Watched
