"""How many there are, as far as it is worth counting."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel

MOST_COUNTED = 10_000
"""Exact up to here: beyond it nobody pages through to the end, and counting costs more than it tells."""


class Count(BaseModel):
    """How many there are."""

    value: int
    #: `more_than`: counting ended here.
    relation: Literal["exactly", "more_than"]
    #: Of which moment that is: counts are kept for a few seconds where nothing changes, and longer beyond the end.
    counted_at: datetime | None = None

    @classmethod
    def of(cls, counted: int, at: datetime | None = None) -> "Count":
        """`counted` ends at one more than MOST_COUNTED."""
        more = counted > MOST_COUNTED
        return cls(value=min(counted, MOST_COUNTED), relation="more_than" if more else "exactly", counted_at=at)
