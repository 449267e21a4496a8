"""How often somebody may ask: so many requests a minute for each principal, in each process. One that costs as much as
hundreds of plain ones, as an export does, counts as hundreds.

Said in every answer as `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers), so that a client can
slow down before it is refused.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from assent_common.http.problems import TooManyRequests
from assent_common.identity.roles import Principal

WINDOW_S = 60
MOST_REMEMBERED = 10_000
"""Principals; the one that was not seen for longest is forgotten first."""


class Standing(NamedTuple):
    """Of one principal, after this request."""

    quota: int
    remaining: int
    #: Until the quota is whole again.
    reset_s: int

    @property
    def headers(self) -> dict[str, str]:
        return {
            "RateLimit-Policy": f'"default";q={self.quota};w={WINDOW_S}',
            "RateLimit": f'"default";r={self.remaining};t={self.reset_s}',
        }


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


class Rates:
    """A bucket for each principal, that fills evenly and holds a minute's requests."""

    def __init__(self, a_minute: int, now: Callable[[], float] = time.monotonic) -> None:
        self._quota = a_minute
        self._now = now
        self._buckets: OrderedDict[tuple[str, str], _Bucket] = OrderedDict()

    def take(self, who: Principal, costs: int = 1) -> Standing:
        """Count one request, as so many: a whole quota at the most. Raises TooManyRequests."""
        now = self._now()
        costs = min(costs, self._quota)
        key = (who.issuer, who.subject)
        bucket = self._buckets.setdefault(key, _Bucket(self._quota, now))
        self._buckets.move_to_end(key)
        if len(self._buckets) > MOST_REMEMBERED:
            self._buckets.popitem(last=False)
        a_second = self._quota / WINDOW_S
        bucket.tokens = min(self._quota, bucket.tokens + (now - bucket.filled_at) * a_second)
        bucket.filled_at = now
        allowed = bucket.tokens >= costs
        if allowed:
            bucket.tokens -= costs
        standing = Standing(self._quota, int(bucket.tokens), math.ceil((self._quota - bucket.tokens) / a_second))
        if not allowed:
            retry_after = {"Retry-After": str(math.ceil((costs - bucket.tokens) / a_second))}
            raise TooManyRequests("more requests than allowed", headers=standing.headers | retry_after)
        return standing
