"""One source is read, and written to, by one process at a time: what is written is written under a lease."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
from assent_common.database import Database
from assent_common.uow import UnitOfWork

from assent_sagemaker.room import Room

# The lease cannot pass to another until the transaction ends.
HOLD = "select from source_leases where source = $1 and fence = $2 for share"


class LeaseLost(Exception):
    """Another process does this now: whatever is under way here ends without effect."""


@dataclass(frozen=True, slots=True)
class Held:
    """A source that this process holds."""

    source: str
    fence: int
    database: Database
    #: For all sources that it holds together.
    room: Room

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[UnitOfWork]:
        """A unit of work that is committed only if the source is still held. Raises LeaseLost."""
        async with self.database.transaction() as uow:
            await self.hold(await uow.sql())
            yield uow

    async def hold(self, connection: asyncpg.Connection) -> None:
        if await connection.fetchrow(HOLD, self.source, self.fence) is None:
            raise LeaseLost(self.source)
