"""Where the newest versions are in the index of words, so that the first page of a frequent word is found among them.

Every version is marked there with the time at which it was made, in three measures: a span of time is a few marks.
"""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

SHARE = 20
"""One version in so many is looked at first."""
MEASURES = (12, 17, 22)
"""The seconds of a mark, as powers of two: an hour, a day and a half, seven weeks. As in `search_marks`."""
MOST_MARKS = 64


class Newest(NamedTuple):
    """When versions were made."""

    #: The last of them, a moment ago.
    last: datetime
    #: As many between each two of these moments: what ANALYZE found.
    spread: Sequence[datetime]

    def marks(self, until: datetime | None = None) -> list[str]:
        """Of a span that ends with the last version, or at a moment before, and holds one version in SHARE or more;
        every version of the span has one of them. Empty where nothing is known of that, or it takes too many.

        The one after the last is among them: what was made since then is as new.
        """
        upper = min(until or self.last, self.last)
        steps = (len(self.spread) - 1) // SHARE
        at = bisect_right(self.spread, upper) - 1 - steps
        if steps < 1 or at < 0:
            return []
        lower = self.spread[at]
        for number, power in enumerate(MEASURES):
            first, last = (int(moment.timestamp()) >> power for moment in (lower, upper))
            if last - first < MOST_MARKS:
                return [f"@{number}{each}" for each in range(first, last + 2)]
        return []
