"""The truth about what a service depends on."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from assent_common import metrics, telemetry
from assent_common.clock import Clock


class State(StrEnum):
    #: Has not worked yet.
    STARTING = "starting"
    WORKING = "working"
    #: Tried again all the time; recovers by itself.
    FAILING = "failing"
    #: Given up on purpose; somebody has to look.
    STOPPED = "stopped"


@dataclass(frozen=True)
class Component:
    state: State
    detail: str | None
    since: datetime


class Health:
    """Components report here; `/health/ready` reads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.components: dict[str, Component] = {}

    def starting(self, name: str) -> None:
        self._report(name, State.STARTING, None)

    def working(self, name: str, detail: str | None = None) -> None:
        self._report(name, State.WORKING, detail)

    def recovered(self, name: str) -> None:
        """Working again, for what is only mentioned when it fails."""
        if name in self.components:
            self.working(name)

    def failing(self, name: str, detail: str) -> None:
        self._report(name, State.FAILING, detail)

    def stopped(self, name: str, detail: str) -> None:
        self._report(name, State.STOPPED, detail)

    def _report(self, name: str, state: State, detail: str | None) -> None:
        metrics.COMPONENT_WORKING.labels(name).set(state is State.WORKING)
        before = self.components.get(name)
        if before is None or before.state is not state:
            self.components[name] = Component(state, detail, self._clock.now())
            fine = state in (State.STARTING, State.WORKING)
            log = telemetry.logger().info if fine else telemetry.logger().warning
            log("component", component=name, state=state.value, detail=detail)
        elif before.detail != detail:
            self.components[name] = Component(state, detail, before.since)
