"""The sources that can't be read at the moment, in one line of `/health/ready`, however many they are."""

from itertools import islice

from assent_common.health import Health

COMPONENT = "sources"
SHOWN = 3


class Troubles:
    def __init__(self, health: Health) -> None:
        self._health = health
        self._reasons: dict[str, str] = {}
        health.starting(COMPONENT)

    def has(self, source: str, reason: str) -> None:
        self._reasons[source] = reason
        self.tell()

    def over(self, source: str) -> None:
        """It answers; or it is another process's, or nobody's, to read."""
        self._reasons.pop(source, None)
        self.tell()

    def waits(self, reason: str) -> None:
        """None can be read, for a reason that is ours."""
        self._health.failing(COMPONENT, reason)

    def tell(self) -> None:
        if not self._reasons:
            self._health.working(COMPONENT)
            return
        shown = [f"{name}: {reason}" for name, reason in islice(self._reasons.items(), SHOWN)]
        more = [f"and {len(self._reasons) - SHOWN} more"] if len(self._reasons) > SHOWN else []
        self._health.failing(COMPONENT, "; ".join([*shown, *more]))
