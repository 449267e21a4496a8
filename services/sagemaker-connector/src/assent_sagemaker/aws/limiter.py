"""How fast a source may be asked: SageMaker's rates are per account, region and operation, and unpublished, so learned.

A token bucket for each lane (account, region and API family) whose rate halves when the service says that it was too
much, and grows by a little with every second that passes well (AIMD). Quotas differ tenfold between operations, so a
throttled family leaves the others their speed.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum

FIRST_GROWTH = 5
"""So much faster the rate grows until the first throttling: what an account bears is found out once."""


class Family(StrEnum):
    """Operations that are throttled together."""

    SEARCH = "search"
    LIST = "list"
    DESCRIBE = "describe"
    TAGS = "tags"
    UPDATE = "update"
    OBJECTS = "objects"


@dataclass(frozen=True, slots=True)
class Pace:
    """Calls a second: where a lane starts, and between what it moves."""

    start: float
    ceiling: float
    floor: float = 0.2
    #: By how much the rate grows in a second without throttling.
    growth: float = 0.2


PACES: dict[Family, Pace] = {
    # 2 to 5 a second is what AWS is reported to bear everywhere; the ceilings are for accounts that bear more.
    Family.SEARCH: Pace(start=5, ceiling=20),
    Family.LIST: Pace(start=5, ceiling=20),
    Family.DESCRIBE: Pace(start=10, ceiling=50, growth=0.5),
    Family.TAGS: Pace(start=10, ceiling=30),
    Family.UPDATE: Pace(start=2, ceiling=5),
    # S3 bears thousands: the bucket is only a brake for a store that is not S3.
    Family.OBJECTS: Pace(start=100, ceiling=500, growth=10),
}

Now = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]


@dataclass(slots=True)
class Lane:
    pace: Pace
    now: Now
    sleep: Sleep
    rate: float = field(init=False)
    _tokens: float = field(init=False)
    _filled_at: float = field(init=False)
    _slowed_at: float = field(init=False)
    _grown_at: float = field(init=False)

    def __post_init__(self) -> None:
        self.rate = self.pace.start
        self._tokens = self._burst
        self._filled_at = self._grown_at = self.now()
        self._slowed_at = float("-inf")

    async def take(self) -> None:
        """Returns when it is this caller's turn; callers are served in the order in which they came."""
        self._fill()
        # Going into debt hands each caller its place in the queue without a lock that a cancelled one could hold.
        self._tokens -= 1
        if self._tokens < 0:
            await self.sleep(-self._tokens / self.rate)

    def went_well(self) -> None:
        now = self.now()
        self._fill()
        growth = self.pace.growth if self._slowed_at > float("-inf") else self.pace.growth * FIRST_GROWTH
        self.rate = min(self.pace.ceiling, self.rate + growth * min(now - self._grown_at, 1.0))
        self._grown_at = now

    def was_throttled(self) -> None:
        """Halves the rate, once for all the calls that were under way together."""
        now = self.now()
        self._grown_at = now
        if now - self._slowed_at < 1.0:
            return
        self._fill()
        self._slowed_at = now
        self.rate = max(self.pace.floor, self.rate / 2)
        self._tokens = min(self._tokens, 0.0)

    @property
    def _burst(self) -> float:
        return max(1.0, self.rate)

    def _fill(self) -> None:
        now = self.now()
        self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self.rate)
        self._filled_at = now


class Limiter:
    """The lanes of all accounts and regions of this process."""

    def __init__(self, now: Now = time.monotonic, sleep: Sleep = asyncio.sleep) -> None:
        self._now = now
        self._sleep = sleep
        self._lanes: dict[tuple[str, str, Family], Lane] = {}

    def lane(self, account: str, region: str, family: Family) -> Lane:
        key = (account, region, family)
        if key not in self._lanes:
            self._lanes[key] = Lane(PACES[family], self._now, self._sleep)
        return self._lanes[key]
