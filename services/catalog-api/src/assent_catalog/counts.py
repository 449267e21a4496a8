"""How many there are, as far as it is worth counting."""

from typing import Literal

from pydantic import BaseModel

MOST_COUNTED = 10_000
"""Exact up to here: beyond it nobody pages through to the end, and counting costs more than it tells."""


class Count(BaseModel):
    """How many there are."""

    value: int
    #: `more_than`: counting ended here.
    relation: Literal["exactly", "more_than"]

    @classmethod
    def of(cls, counted: int) -> "Count":
        """`counted` ends at one more than MOST_COUNTED."""
        more = counted > MOST_COUNTED
        return cls(value=min(counted, MOST_COUNTED), relation="more_than" if more else "exactly")
