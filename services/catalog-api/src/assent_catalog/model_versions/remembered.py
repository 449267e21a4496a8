"""Counts that are costly and only so many of more: kept ready for a while where they are asked for most."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from assent_common import telemetry
from assent_common.database import is_transient

from assent_catalog.counts import MOST_COUNTED

Counted = tuple[int, dict[str, dict[str, int]]]
FRESH_S = 30.0
"""From then on it is counted anew, beside the answer that it does not hold up."""
STALE_S = 300.0
"""An answer is never older."""
MOST_REMEMBERED = 1_000


@dataclass(slots=True)
class _Known:
    counted: Counted
    at: float
    again: asyncio.Task[None] | None = None


class Remembered:
    """Of one process. Only what goes beyond MOST_COUNTED is kept: an exact count is always of now."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._counting: dict[str, asyncio.Task[Counted]] = {}

    async def get(self, key: str, count: Callable[[], Awaitable[Counted]]) -> Counted:
        """Who asks while it is being counted waits for that."""
        known = self._known.get(key)
        if known is None or self._now() - known.at > STALE_S:
            return await self._count(key, count)
        self._known.move_to_end(key)
        if self._now() - known.at > FRESH_S and known.again is None:
            known.again = asyncio.create_task(self._anew(key, count))
        return known.counted

    async def _count(self, key: str, count: Callable[[], Awaitable[Counted]]) -> Counted:
        if key not in self._counting:
            self._counting[key] = asyncio.create_task(self._kept(key, count))
        # One who goes away does not take the answer from the others.
        return await asyncio.shield(self._counting[key])

    async def _kept(self, key: str, count: Callable[[], Awaitable[Counted]]) -> Counted:
        try:
            counted = await count()
        finally:
            del self._counting[key]
        self._known.pop(key, None)
        if counted[0] > MOST_COUNTED:
            self._known[key] = _Known(counted, self._now())
            if len(self._known) > MOST_REMEMBERED:
                self._known.popitem(last=False)
        return counted

    async def _anew(self, key: str, count: Callable[[], Awaitable[Counted]]) -> None:
        try:
            await self._count(key, count)
        except Exception as error:
            if not is_transient(error):
                raise
            # The next one who asks tries again.
            telemetry.logger().info("not_counted_anew", reason=repr(error))
            if (known := self._known.get(key)) is not None:
                known.again = None
