"""Counts kept ready for a while where they are asked for most; each says of which moment it is."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from assent_common import telemetry
from assent_common.database import is_transient

from assent_catalog.counts import MOST_COUNTED


class Counted(NamedTuple):
    """How many there are in all, and of each value of each facet."""

    total: int
    facets: dict[str, dict[str, int]]
    at: datetime


@dataclass(frozen=True)
class Life:
    #: From then on it is counted anew, beside the answer that it does not hold up.
    fresh_s: float
    #: An answer is never older.
    stale_s: float


EXACT = Life(fresh_s=5, stale_s=10)
"""Of a selection up to MOST_COUNTED, and only while this process changes nothing; others may, for so long."""
MORE_THAN = Life(fresh_s=30, stale_s=300)
"""Of what is only so many of more."""
MOST_REMEMBERED = 1_000


@dataclass(slots=True)
class _Known:
    counted: Counted
    at: float
    #: How often this process had changed something when it was counted.
    changes: int
    again: asyncio.Task[None] | None = None

    @property
    def is_exact(self) -> bool:
        return self.counted.total <= MOST_COUNTED

    @property
    def life(self) -> Life:
        return EXACT if self.is_exact else MORE_THAN


class Remembered:
    """Of one process."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._counting: dict[tuple[str, int], asyncio.Task[Counted]] = {}
        # One after the other: twenty that come due at once would hold up whoever is answered meanwhile.
        self._anew_in_turn = asyncio.Lock()

    async def get(self, key: str, count: Callable[[], Awaitable[Counted]], changes: int) -> Counted:
        """Who asks while it is being counted waits for that. `changes` grows with each change of this process: what
        was exact before is not given out after it."""
        known = self._known.get(key)
        age = self._now() - known.at if known is not None else 0.0
        if known is None or age > known.life.stale_s or (known.is_exact and known.changes != changes):
            return await self._count(key, count, changes)
        self._known.move_to_end(key)
        if age > known.life.fresh_s and known.again is None:
            known.again = asyncio.create_task(self._anew(key, known, count, changes))
        return known.counted

    async def _count(self, key: str, count: Callable[[], Awaitable[Counted]], changes: int) -> Counted:
        # What is being counted since before a change is not of now.
        counting = self._counting.get((key, changes))
        if counting is None:
            counting = self._counting[key, changes] = asyncio.create_task(self._kept(key, count, changes))
        # One who goes away does not take the answer from the others.
        return await asyncio.shield(counting)

    async def _kept(self, key: str, count: Callable[[], Awaitable[Counted]], changes: int) -> Counted:
        at = self._now()
        try:
            counted = await count()
        finally:
            del self._counting[key, changes]
        known = self._known.get(key)
        if known is None or known.changes <= changes:
            self._known[key] = _Known(counted, at, changes)
            self._known.move_to_end(key)
            if len(self._known) > MOST_REMEMBERED:
                self._known.popitem(last=False)
        return counted

    async def _anew(self, key: str, known: _Known, count: Callable[[], Awaitable[Counted]], changes: int) -> None:
        try:
            async with self._anew_in_turn:
                # Who found it too old while it waited its turn has counted it already.
                if self._known.get(key) is known:
                    await self._count(key, count, changes)
        except Exception as error:
            if not is_transient(error):
                raise
            # The next one who asks tries again.
            telemetry.logger().info("not_counted_anew", reason=repr(error))
            known.again = None
