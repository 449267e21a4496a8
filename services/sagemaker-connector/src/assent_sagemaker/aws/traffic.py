"""Calls as they are made, counted for whoever makes them: a run knows what it cost, whatever else the process does."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

import orjson

from assent_sagemaker import metrics


@dataclass(slots=True)
class Traffic:
    """What one piece of work asked of AWS, by operation."""

    calls: Counter[str] = field(default_factory=Counter)
    #: How often AWS said that it was too much.
    throttled: Counter[str] = field(default_factory=Counter)
    #: Calls a second that the lanes allowed when they were last used, by family.
    rates: dict[str, float] = field(default_factory=dict)

    @classmethod
    def read(cls, written: Mapping[str, Mapping[str, float]]) -> "Traffic":
        """As it was written; nothing so far where nothing was."""
        calls, throttled = (
            Counter({name: int(count) for name, count in written.get(kind, {}).items()})
            for kind in ("calls", "throttled")
        )
        return cls(calls, throttled, dict(written.get("rates", {})))

    def written(self) -> str:
        counts = {"calls": self.calls, "throttled": self.throttled, "rates": self.rates}
        return orjson.dumps(counts, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS).decode()


_current: ContextVar[Traffic | None] = ContextVar("assent_aws_traffic", default=None)


@contextmanager
def counted(traffic: Traffic) -> Iterator[None]:
    """Every call made within, and in tasks started within, counts here."""
    token = _current.set(traffic)
    try:
        yield
    finally:
        _current.reset(token)


def count(operation: str, outcome: str, family: str, rate: float, *, throttled: int = 0) -> None:
    """One call, in the metrics of the process and for whoever made it. `rate` is what its lane allows now."""
    metrics.AWS_CALLS.labels(operation, outcome).inc()
    if throttled:
        metrics.AWS_THROTTLED.labels(operation).inc(throttled)
    traffic = _current.get()
    if traffic is not None:
        traffic.calls[operation] += 1
        traffic.rates[family] = round(rate, 2)
        if throttled:
            traffic.throttled[operation] += throttled
