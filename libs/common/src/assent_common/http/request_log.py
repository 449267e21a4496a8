"""The line that a request leaves in the log: what, when, by whom, and where it was refused, why.

Who is known leaves a line for each request, as far as his quota goes. Who is not, or asks for what he may not, could
fill the disk for nothing: of him a few lines a minute are written for each route and reason, the others are counted.
"""

import time
from collections.abc import Callable
from typing import Any

from starlette.types import Scope

from assent_common import metrics, telemetry
from assent_common.http.problems import Problem, Unauthenticated

#: Whoever asks after our health asks all the time.
QUIET = frozenset({"/health/live", "/health/ready", "/metrics"})
REFUSED = frozenset({401, 403, 429})
A_MINUTE = 5
"""Lines of one caller, route and reason."""
MOST = 10_000
"""Callers, routes and reasons that are told apart; of more, no line is written."""
MOST_OF_A_PATH = 1_000
WINDOW_S = 60


class RequestLog:
    """One for each process."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._began_at = now()
        self._told: dict[tuple[object, ...], int] = {}
        self._left_out = 0

    def tell(self, scope: Scope, *, route: str, status: int, took_s: float) -> None:
        state = scope.get("state", {})
        who = state.get("who")
        said: dict[str, Any] = {
            "method": scope["method"],
            "path": scope["path"][:MOST_OF_A_PATH],
            "status": status,
            "ms": round(took_s * 1000, 1),
        }
        if who is not None:
            said |= {"issuer": who.issuer, "subject": who.subject}
        if scope["path"] in QUIET and status not in REFUSED:
            telemetry.logger().debug("request", **said)
        elif who is not None and status not in REFUSED:
            telemetry.logger().info("request", **said)
        else:
            why = _why(state.get("problem")) if status in REFUSED else {}
            # By what is verified alone: of what a token only claims a stranger could make up as much as he likes.
            caller = (who.issuer, who.subject) if who is not None else ()
            if self._has_room((*caller, route, status, why.get("reason"))):
                log = telemetry.logger()
                (log.warning if why else log.info)("refused" if why else "request", **said, **why)

    def _has_room(self, of: tuple[object, ...]) -> bool:
        now = self._now()
        if now - self._began_at >= WINDOW_S:
            if self._left_out:
                telemetry.logger().warning(
                    "requests_not_told", count=self._left_out, since_s=round(now - self._began_at)
                )
            self._began_at, self._told, self._left_out = now, {}, 0
        told = self._told.get(of, 0)
        if told >= A_MINUTE or (told == 0 and len(self._told) >= MOST):
            self._left_out += 1
            metrics.REQUESTS_NOT_LOGGED.inc()
            return False
        self._told[of] = told + 1
        return True


def _why(problem: Problem | None) -> dict[str, Any]:
    if problem is None:
        return {"reason": "unknown"}
    if isinstance(problem, Unauthenticated):
        return {"reason": problem.reason, "detail": problem.detail, **problem.claimed}
    return {"reason": problem.type, "detail": problem.detail}
