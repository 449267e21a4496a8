"""The duty that fires timers: any number of processes share it, and all sleep until something is due."""

import asyncio
from datetime import datetime
from uuid import UUID

from assent_common import telemetry
from assent_common.database import Database, is_transient
from assent_common.supervise import pause

from assent_workflow import metrics
from assent_workflow.timers import look_again, store
from assent_workflow.timers.fire import NotFired, fire

AT_ONCE = 200
#: Others may write a timer that is due sooner than the one slept for: so late is the latest.
LONGEST_SLEEP_S = 5.0
#: What is due but held by somebody else.
SHORTEST_SLEEP_S = 0.2


class Timers:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            try:
                if await self.once():
                    continue
                async with self._database.connection() as connection:
                    next_in_s = await store.next_in_s(connection)
            except Exception as error:
                if not is_transient(error):
                    raise
                next_in_s = SHORTEST_SLEEP_S
            sleep_s = LONGEST_SLEEP_S if next_in_s is None else next_in_s
            await pause(stopping, min(max(sleep_s, SHORTEST_SLEEP_S), LONGEST_SLEEP_S))

    async def once(self, *, at: datetime | None = None) -> int:
        """Fire a batch of what is due. What fails is tried alone, and put off if that fails, too."""
        try:
            async with self._database.transaction() as uow:
                fired = await fire(uow, at=at, most=AT_ONCE)
        except NotFired as error:
            if is_transient(error):
                raise
            fired = sum([await self._alone(timer, at) for timer in error.timers])
        fired += await self._look_again(at)
        metrics.TIMERS_FIRED.inc(fired)
        return fired

    async def _look_again(self, at: datetime | None) -> int:
        async with self._database.connection() as connection:
            due = await look_again.due(connection, at=at, most=AT_ONCE)
        done = 0
        for timer in due:
            try:
                await look_again.look_again(self._database, timer)
                done += 1
            except Exception as error:
                if is_transient(error):
                    raise
                await self._put_off(timer["id"], error)
        return done

    async def _alone(self, timer: UUID, at: datetime | None) -> int:
        try:
            async with self._database.transaction() as uow:
                return await fire(uow, at=at, most=1, only=timer)
        except NotFired as error:
            if is_transient(error):
                raise
            await self._put_off(timer, error)
            return 0

    async def _put_off(self, timer: UUID, error: Exception) -> None:
        metrics.TIMERS_PUT_OFF.inc()
        telemetry.logger().error("timer_put_off", timer=str(timer), exc_info=error)
        async with self._database.connection() as connection:
            await store.put_off(connection, timer, str(error))
