"""How fast a source may be asked: SageMaker's rates are per account, region and operation, and unpublished, so learned.

A lane for each account, region and API family. Quotas differ tenfold between operations, so a throttled family leaves
the others their speed.
"""

import asyncio
import random
import time
from enum import StrEnum

from assent_sagemaker.aws.lane import Lane, Now, Sleep
from assent_sagemaker.aws.rate import Pace

FIRST_BACKOFF_S = 0.2
LONGEST_BACKOFF_S = 20.0


class Family(StrEnum):
    """Operations that are throttled together."""

    SEARCH = "search"
    LIST = "list"
    DESCRIBE = "describe"
    TAGS = "tags"
    #: Training, processing and transform jobs.
    JOBS = "jobs"
    #: Which job led to which version: nobody waits for it, so it takes nothing from what is waited for.
    LINEAGE = "lineage"
    UPDATE = "update"
    OBJECTS = "objects"
    #: Of a source's queue.
    EVENTS = "events"


PACES: dict[Family, Pace] = {
    # 2 to 5 a second is what AWS is reported to bear everywhere, for long; a first ten at once are the pages of a
    # thousand versions, and what is too much costs one throttled call. The ceilings are for accounts that bear more:
    # the company's own pipelines ask the same account, and are not to be crowded out.
    Family.SEARCH: Pace(start=10, ceiling=60, floor=0.5),
    Family.LIST: Pace(start=10, ceiling=60, floor=0.5),
    Family.DESCRIBE: Pace(start=10, ceiling=100, floor=1),
    Family.TAGS: Pace(start=10, ceiling=60, floor=1),
    Family.JOBS: Pace(start=1, ceiling=6, floor=0.1),
    Family.LINEAGE: Pace(start=0.5, ceiling=6, floor=0.1),
    Family.UPDATE: Pace(start=2, ceiling=5, floor=0.2),
    # S3 bears 5,500 a second for each prefix: the lane is only a brake for a store that is not S3.
    Family.OBJECTS: Pace(start=1000, ceiling=3000, floor=5),
    Family.EVENTS: Pace(start=50, ceiling=300, floor=1),
}


class Limiter:
    """The lanes of all accounts and regions of this process."""

    def __init__(self, now: Now = time.monotonic, sleep: Sleep = asyncio.sleep) -> None:
        self._now = now
        self._sleep = sleep
        self._lanes: dict[tuple[str, str, Family], Lane] = {}
        self._jitter = random.SystemRandom()

    def lane(self, account: str, region: str, family: Family) -> Lane:
        key = (account, region, family)
        if key not in self._lanes:
            self._lanes[key] = Lane(PACES[family], self._now, self._sleep)
        return self._lanes[key]

    async def back_off(self, attempts: int) -> None:
        """Before one more try: any time up to one that doubles with each attempt, so that who failed together does not
        come back together."""
        longest = min(FIRST_BACKOFF_S * (1 << min(attempts, 16)), LONGEST_BACKOFF_S)
        await self._sleep(self._jitter.uniform(0, longest))
