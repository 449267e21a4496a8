"""Who is let in: so many requests at once, and each for so long. All others are told at once to come again.

How many depends on how long they take: a number that is right for answers of a millisecond makes those of fifty wait
for ten seconds. So it falls by a tenth with each answer that took longer than a second, and rises by one with each such
number of answers that did not (as TCP finds out what a line can carry).

A service that takes more than it can do answers everybody too late, and so nobody. Whoever asks after its health is
always let in: an overloaded process that is taken for a dead one is killed, and its load falls on the others.
"""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assent_common import metrics
from assent_common.http import problems
from assent_common.http.middleware import QUIET, refuse

AT_ONCE = 200
WITHIN_S = 30.0
SLOW_S = 1.0
FEWEST = 32
"""Enough to keep the pool's connections busy, and for a burst to wait rather than to be refused."""


class Admission:
    """The outermost middleware, so that a refusal costs next to nothing: no span, no log line, no body read."""

    def __init__(self, app: ASGIApp, *, at_once: int = AT_ONCE, within_s: float = WITHIN_S) -> None:
        self._app = app
        self._most = self._at_once = float(at_once)
        self._fewest = float(min(at_once, FEWEST))
        self._within_s = within_s
        #: Requests that nothing was answered to yet. A stream is none of them once it has begun.
        self.inside = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in QUIET:
            await self._app(scope, receive, send)
        elif self.inside >= self._at_once:
            metrics.HTTP_REFUSED.labels("overloaded").inc()
            await refuse(problems.Overloaded(f"{self.inside} requests are being answered already"), scope, send)
        else:
            await self._let_in(scope, receive, _Visit(self, scope, send, self._within_s))

    def answered(self, took_s: float) -> None:
        """Learn from one answer how many may be inside."""
        if took_s > SLOW_S:
            self._at_once = max(self._fewest, self._at_once * 0.9)
        else:
            self._at_once = min(self._most, self._at_once + 1 / self._at_once)

    async def _let_in(self, scope: Scope, receive: Receive, visit: "_Visit") -> None:
        try:
            await self._app(scope, receive, visit.send)
        except (Exception, asyncio.CancelledError):
            if visit.refusal is None:
                raise
            # It was given up: whatever it says now, its caller was told.
            visit.task.uncancel()
        finally:
            visit.leave()
        if visit.refusal is not None:
            await visit.refusal


class _Visit:
    """One request, from when it is let in until its answer begins or it is given up."""

    def __init__(self, admission: Admission, scope: Scope, send: Send, within_s: float) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.task = task
        #: Tells the caller that it was given up.
        self.refusal: asyncio.Task[None] | None = None
        self._admission = admission
        self._scope = scope
        self._send = send
        self._is_inside = True
        self._within_s = within_s
        self._loop = asyncio.get_running_loop()
        self._began_at = self._loop.time()
        self._alarm = self._loop.call_later(within_s, self._give_up)
        admission.inside += 1

    async def send(self, message: Message) -> None:
        if self.refusal is None:
            self.leave()
            await self._send(message)

    def leave(self) -> None:
        if self._is_inside:
            self._is_inside = False
            self._alarm.cancel()
            self._admission.inside -= 1
            self._admission.answered(self._loop.time() - self._began_at)

    def _give_up(self) -> None:
        """The caller is told at once: what hangs in a dead connection may not end for long, though it is cancelled."""
        self.leave()
        metrics.HTTP_REFUSED.labels("too-slow").inc()
        slow = problems.TooSlow(f"it was not answered within {self._within_s:g} s")
        self.refusal = asyncio.create_task(refuse(slow, self._scope, self._send))
        self.task.cancel()
