"""Sources that no process has among its sources any more: what was read of them is kept a while, then told as removed.

Nobody watches it, so it may not stay live for good; but a line that is missing from a file may be a mistake, and what
is removed loses its acceptances. Put back in time, a source goes on where it stood. Another source that reads the same
registry (one that was renamed, say) takes the records over as it finds them.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta

from assent_common import ids, telemetry
from assent_common.clock import Clock
from assent_common.database import Database, is_transient
from assent_common.events.registry import SyncCompleted
from assent_common.health import Health
from assent_common.kafka.topics import REGISTRY
from assent_common.supervise import pause
from assent_common.uow import UnitOfWork

from assent_sagemaker import sources_state, state, views
from assent_sagemaker.sources import Source
from assent_sagemaker.sync.gone import remove

COMPONENT = "dropped-sources"
LOOK_EVERY_S = 15.0
SHOWN = 20
BATCH = 500

# What another process reads, by a file that is newer or older than this one's, is not dropped.
DROP = """
update source_leases l set dropped_at = $2
 where l.dropped_at is null
   and not exists (select from unnest($1::text[]) as configured(name) where configured.name = l.source)
   and not exists (select from readers r where r.id = l.holder and r.expires_at >= now())
returning l.source
"""
# So long as there is anything of theirs.
KEPT = """
select l.source, l.dropped_at from source_leases l
 where l.dropped_at is not null and exists (select from records r where r.source = l.source and r.live)
 order by l.dropped_at, l.source
"""
OVERDUE = """
select l.source from source_leases l
 where l.dropped_at <= $1 and exists (select from records r where r.source = l.source and r.live)
"""
# Nobody takes it up again until the transaction ends.
LOCK = "select from source_leases where source = $1 and dropped_at is not null for update"
SOME = "select key from records where source = $1 and live order by key limit $2"
# What is left of it, by a number that is another whenever something went.
UNTOLD = """
select l.source, left_over.sequences
  from source_leases l
 cross join lateral (
       select coalesce(sum(r.sequence), 0)::bigint as sequences from records r where r.source = l.source and r.live
 ) left_over
 where l.dropped_at is not null and l.told is distinct from left_over.sequences
"""
TOLD = "update source_leases set told = $2 where source = $1"


class Dropping:
    """The duty that notices what was dropped, and in time removes it. Any number of processes may run it."""

    def __init__(
        self, roster: Mapping[str, Source], database: Database, health: Health, clock: Clock, *, keep: timedelta
    ) -> None:
        self._roster = roster
        self._database = database
        self._health = health
        self._clock = clock
        self._keep = keep

    async def run(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            try:
                await self.look()
            except Exception as error:
                if not is_transient(error):
                    raise
                telemetry.logger().info("dropped_sources_wait", reason=repr(error))
            await pause(stopping, LOOK_EVERY_S)

    async def look(self) -> None:
        now = self._clock.now()
        async with self._database.connection() as connection:
            dropped = [row["source"] for row in await connection.fetch(DROP, list(self._roster), now)]
            overdue = [row["source"] for row in await connection.fetch(OVERDUE, now - self._keep)]
        if dropped:
            until = (now + self._keep).isoformat()
            telemetry.logger().warning("sources_dropped", sources=dropped[:SHOWN], count=len(dropped), kept_until=until)
        for source in overdue:
            await self._remove(source)
        async with self._database.connection() as connection:
            untold = await connection.fetch(UNTOLD)
            kept = await connection.fetch(KEPT)
        for row in untold:
            await self._tell(row["source"], row["sequences"])
        self._say([f"{row['source']} until {row['dropped_at'] + self._keep:%Y-%m-%d %H:%M}" for row in kept])

    def _say(self, kept: Sequence[str]) -> None:
        more = [f"and {len(kept) - SHOWN} more"] if len(kept) > SHOWN else []
        self._health.working(COMPONENT, f"kept: {', '.join([*kept[:SHOWN], *more])}" if kept else None)

    async def _remove(self, source: str) -> None:
        gone = BATCH
        while gone == BATCH:
            async with self._database.transaction() as uow:
                gone = await self._remove_some(uow, source)
        telemetry.logger().warning("dropped_source_removed", source=source)

    async def _remove_some(self, uow: UnitOfWork, source: str) -> int:
        connection = await uow.sql()
        if await connection.fetchrow(LOCK, source) is None:
            return 0
        keys = [row["key"] for row in await connection.fetch(SOME, source, BATCH)]
        await views.close(connection, source)
        # Their new owners tell them as theirs when they read them the next time.
        heirs = await views.pass_on(connection, keys)
        await remove(uow, source, [key for key in keys if key not in heirs])
        return len(keys)

    async def _tell(self, source: str, sequences: int) -> None:
        """What is left of it, so that whoever counts does not miss what is another source's by now, or gone."""
        async with self._database.transaction() as uow:
            connection = await uow.sql()
            if await connection.fetchrow(LOCK, source) is None:
                return
            await connection.execute(TOLD, source, sequences)
            now = uow.clock.now()
            uow.emit(
                REGISTRY,
                "assent.registry.sync.completed.v1",
                source,
                await sources_state.grow(connection, source),
                SyncCompleted(
                    source=source,
                    run=str(ids.new()),
                    mode="incremental",
                    started_at=now,
                    finished_at=now,
                    changed=0,
                    removed=0,
                    census=await state.census(connection, source),
                ),
                scope=source,
            )
