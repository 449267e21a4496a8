"""Who does a duty now: a row with a holder, a fence that grows with each new holder, and an end."""

import asyncio
from collections.abc import Mapping, Sequence
from uuid import UUID

import asyncpg

from assent_common import ids

CLAIM = """
insert into leases as l (duty, shard, holder, fence, expires_at)
select $1, shard, $2, 1, now() + make_interval(secs => $4) from unnest($3::smallint[]) shard
on conflict (duty, shard) do update
   set holder = excluded.holder,
       fence = l.fence + (l.holder <> excluded.holder)::int,
       expires_at = excluded.expires_at
 where l.holder = excluded.holder or l.expires_at < now()
returning shard, fence
"""

RENEW_AFTER = 1 / 3
"""Of its time: a holder need not write to renew more often than that."""

RELEASE = "update leases set expires_at = now() - interval '1 second' where duty = $1 and holder = $2"


class Lease:
    """One duty, in one or more shards, by one holder: this object.

    What is done under a lease names its fence in the statement that writes, so that a holder that slept past the
    end of its lease writes nothing.
    """

    def __init__(self, duty: str, shards: Sequence[int] = (0,), *, ttl_s: float = 6.0) -> None:
        self.duty = duty
        self.ttl_s = ttl_s
        self._shards = list(shards)
        self._holder: UUID = ids.new()
        self._fences: Mapping[int, int] = {}
        self._claimed_at = float("-inf")

    async def claim(self, connection: asyncpg.Connection) -> Mapping[int, int]:
        """Take or renew what is free or mine, for `ttl_s` from now by the database's clock: shard → fence.

        The answer of the last claim stands until a third of its time is over, if it was for everything.
        """
        now = asyncio.get_running_loop().time()
        if len(self._fences) < len(self._shards) or now - self._claimed_at > self.ttl_s * RENEW_AFTER:
            self._fences = {}
            rows = await connection.fetch(CLAIM, self.duty, self._holder, self._shards, self.ttl_s)
            self._fences, self._claimed_at = {row["shard"]: row["fence"] for row in rows}, now
        return self._fences

    @property
    def left_s(self) -> float:
        """For how long what was claimed last is surely still held."""
        return self._claimed_at + self.ttl_s - asyncio.get_running_loop().time()

    async def release(self, connection: asyncpg.Connection) -> None:
        """Let the next one begin at once."""
        self._fences = {}
        await connection.execute(RELEASE, self.duty, self._holder)
