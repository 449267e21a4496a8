"""What rate a service allows, as its answers tell: pure, and the only place that knows how it is found.

As TCP does it. Until the first throttling the rate doubles again and again, so that an account that bears much is
not held back. From then on the rate at which it was too much is known: just below it the rate grows slowly, one
throttled call for some hundred that are not, and falls by little when it was too much again; where it was still far
too much, it is halved.
"""

from dataclasses import dataclass, field

EAGER = 2.0
"""So much the rate grows with each call that went well, while nothing speaks against it."""

NEAR = 0.85
FAR = 0.5

CLIMB = 200
"""So many calls it takes from `NEAR` back to the rate at which it was too much."""

STEADY = 20
"""Throttled before so many calls went well, the rate is still far from what is allowed."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Calls a second: where a rate starts, and between what it moves."""

    start: float
    ceiling: float
    floor: float


@dataclass(slots=True)
class Rate:
    pace: Pace
    a_second: float = field(init=False)
    #: Grows whenever the rate falls: a call that began before says nothing of the rate since.
    epoch: int = field(init=False, default=0)
    #: Up to here it grows eagerly. None until the first throttling.
    _threshold: float | None = field(init=False, default=None)
    _went_well: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.a_second = self.pace.start

    @property
    def is_learned(self) -> bool:
        return self._threshold is not None

    def went_well(self) -> None:
        """A call that the rate kept waiting, or the next one: others say nothing of a higher rate."""
        self._went_well += 1
        if self._threshold is None:
            grown = self.a_second + EAGER
        elif self.a_second < self._threshold:
            grown = min(self.a_second + EAGER, self._threshold)
        else:
            grown = self.a_second + self._threshold * (1 / NEAR - 1) / CLIMB
        self.a_second = min(grown, self.pace.ceiling)

    def was_throttled(self, epoch: int) -> bool:
        """Falls, once for all the calls that were under way together. False where it has fallen already."""
        if epoch != self.epoch:
            return False
        near = self._threshold is not None and self._went_well >= STEADY
        self._threshold = max(self.a_second * NEAR, self.pace.floor)
        self.a_second = max(self.a_second * (NEAR if near else FAR), self.pace.floor)
        self._went_well = 0
        self.epoch += 1
        return True
