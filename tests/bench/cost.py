"""What things cost by the processors' time, which holds beside other work."""

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

import psutil

from tests.bench.applying import postgres_s
from tests.bench.overload import used_s

#: What grows by so much bends.
BENDS = 1.5


class Cost(NamedTuple):
    """For one of what is counted, in milliseconds of a processor."""

    service: float
    postgres: float

    @property
    def whole(self) -> float:
        return self.service + self.postgres

    def __str__(self) -> str:
        return f"{self.whole:.2f} ms (service {self.service:.2f}, Postgres {self.postgres:.2f})"


class Meter:
    """Of a service's process and of all Postgres that this process has started."""

    def __init__(self, server: psutil.Process) -> None:
        self._server = server
        self._before = self._now()

    def _now(self) -> tuple[float, float]:
        return used_s(self._server), postgres_s()

    def read(self, count: int) -> Cost:
        """For each of so many since the meter was made, or read."""
        before, self._before = self._before, self._now()
        service, postgres = (now - then for now, then in zip(self._before, before, strict=True))
        return Cost(service / count * 1e3, postgres / count * 1e3)


class Costs(NamedTuple):
    """Of some rounds: the one in the middle, with the lowest and the highest."""

    rounds: Sequence[Cost]

    @property
    def middle(self) -> Cost:
        return Cost(median(cost.service for cost in self.rounds), median(cost.postgres for cost in self.rounds))

    def __str__(self) -> str:
        whole = [cost.whole for cost in self.rounds]
        return f"{self.middle}, {min(whole):.2f}-{max(whole):.2f}"


def grown(small: float, large: float) -> str:
    """How much more, and whether that bends."""
    times = large / small
    return f"{times:.1f} x" + (": bends" if times > BENDS else "")
