"""One source is read, and written to, by one process at a time: what is written is written under a lease."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
from assent_common.database import Database
from assent_common.leases import Lease
from assent_common.uow import UnitOfWork

# The lease cannot pass to another until the transaction ends.
HOLD = "select from leases where duty = $1 and fence = $2 for share"


class LeaseLost(Exception):
    """Another process does this now: whatever is under way here ends without effect."""


@dataclass(frozen=True, slots=True)
class Held:
    """A duty that this process holds."""

    duty: str
    fence: int
    database: Database

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[UnitOfWork]:
        """A unit of work that is committed only if the duty is still held. Raises LeaseLost."""
        async with self.database.transaction() as uow:
            await self.hold(await uow.sql())
            yield uow

    async def hold(self, connection: asyncpg.Connection) -> None:
        if await connection.fetchrow(HOLD, self.duty, self.fence) is None:
            raise LeaseLost(self.duty)


async def claim(database: Database, lease: Lease) -> Held | None:
    """The duty, if it is free or mine already."""
    async with database.connection() as connection:
        fences = await lease.claim(connection)
    return Held(lease.duty, fences[0], database) if fences else None


async def keep(database: Database, lease: Lease, held: Held) -> None:
    """Renews the lease for as long as it is held; meant to be cancelled. Raises LeaseLost."""
    while True:
        await asyncio.sleep(lease.ttl_s / 4)
        if await claim(database, lease) != held:
            raise LeaseLost(lease.duty)
