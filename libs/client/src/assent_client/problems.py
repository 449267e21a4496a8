"""What can go wrong.

Unreachable   nobody answered
Refused       a problem was answered
 ├ NotFound   404
 ├ Conflict   409
 └ Stale      412
"""

from typing import Any


class Unreachable(Exception):
    """Nobody answered in time. Whether a change was made is not known: ask, or repeat it with its Idempotency-Key."""


class Refused(Exception):
    """The service answered with a problem."""

    def __init__(self, status: int, problem: dict[str, Any], *, retry_after_s: float | None = None) -> None:
        self.status = status
        #: The problem's last step: `not-found`.
        self.type = str(problem.get("type", "about:blank")).rpartition("/")[2]
        self.detail = str(problem.get("detail", ""))
        #: The fields at fault: `pointer`, `code`, `detail` of each.
        self.errors: list[dict[str, str]] = problem.get("errors") or []
        self.correlation_id: str | None = problem.get("correlation_id")
        self.problem = problem
        self.retry_after_s = retry_after_s
        super().__init__(f"{status} {self.type}: {self.detail}")


class NotFound(Refused):
    """There is no such thing, or not yet."""


class Conflict(Refused):
    """The present state does not allow this."""


class Stale(Refused):
    """It was changed since you read it: read it again."""


BY_STATUS: dict[int, type[Refused]] = {404: NotFound, 409: Conflict, 412: Stale}
