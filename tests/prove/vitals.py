"""What the processes of a house hold, sampled, and whether it grows."""

from collections.abc import Sequence
from math import sqrt
from statistics import mean
from typing import NamedTuple

import psutil

from tests.prove.house import MODULES, UNPUBLISHED, House

CONNECTIONS = "select count(*) from pg_stat_activity where application_name = $1"
LAG = "assent_consumer_lag_records"


class Sign(NamedTuple):
    """One thing that is watched, and by how much it may grow before that is called growing."""

    what: str
    unit: str
    #: Beside a tenth of what was there.
    tolerance: float


SIGNS = (
    Sign("memory", "MB", 8.0),
    Sign("descriptors", "", 8.0),
    Sign("threads", "", 4.0),
    Sign("connections to Postgres", "", 3.0),
    Sign("events not yet published", "", 50.0),
    Sign("events not yet consumed", "", 200.0),
)


class Trend(NamedTuple):
    """A straight line through samples: how much it rises from its beginning to its end, and how sure that is."""

    level: float
    rise: float
    #: Half as wide as where the rise is, 19 times of 20.
    noise: float
    highest: float

    def grows(self, tolerance: float) -> bool:
        """More than it may, whatever of it is noise."""
        return self.rise - self.noise > tolerance + self.level / 10


async def sample(house: House) -> dict[str, tuple[float, ...]]:
    """Of each service its signs, of all its processes together."""
    found: dict[str, tuple[float, ...]] = {}
    for name in MODULES:
        processes = [psutil.Process(child.pid) for child in house.children[name]]
        async with house.database(name) as connection:
            connections = await connection.fetchval(CONNECTIONS, f"assent-{name}")
            unpublished = await connection.fetchval(UNPUBLISHED)
        found[name] = (
            sum(process.memory_info().rss for process in processes) / 2**20,
            float(sum(process.num_fds() for process in processes)),
            float(sum(process.num_threads() for process in processes)),
            float(connections),
            float(unpublished),
            await house.metric(name, LAG),
        )
        assert len(found[name]) == len(SIGNS)
    return found


def trend(at_s: Sequence[float], values: Sequence[float]) -> Trend:
    """By least squares. What comes one after the other is alike, so the noise is taken for three times as wide."""
    middle_s, middle = mean(at_s), mean(values)
    spread = sum((at - middle_s) ** 2 for at in at_s)
    slope = sum((at - middle_s) * (value - middle) for at, value in zip(at_s, values, strict=True)) / spread
    rest = sum((value - middle - slope * (at - middle_s)) ** 2 for at, value in zip(at_s, values, strict=True))
    error = 3 * sqrt(rest / max(1, len(values) - 2) / spread)
    lasted_s = at_s[-1] - at_s[0]
    return Trend(middle - slope * lasted_s / 2, slope * lasted_s, 2 * error * lasted_s, max(values))
