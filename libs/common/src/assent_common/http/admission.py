"""Who is let in: so many requests at once, and each for so long. All others are told at once to come again.

Of those that are let in a few are worked on, and the others stand in line, so that in a burst all are answered. Where
it is full though its line was not empty for a quarter of a second, that is no burst: more is asked than can be done,
and whoever stands in a long line is only answered later, and at a greater cost, for all that belongs to him is cold by
then. From then on the line is kept short, until nobody had to be turned away for that for as long (as the queues of
routers are, by RFC 8289). Once others are turned away nobody is worked on who stood there for longer than a second: he
is told to come again, too, rather than answered when he no longer waits.

A service that takes more than it can do answers everybody too late, and so nobody. Whoever asks after its health is
always let in: an overloaded process that is taken for a dead one is killed, and its load falls on the others.
"""

import asyncio
from collections import deque

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assent_common import metrics
from assent_common.http import problems
from assent_common.http.middleware import Refusal
from assent_common.http.request_log import QUIET

AT_ONCE = 200
WITHIN_S = 30.0
#: How long one may stand in line.
STANDS_S = 1.0
#: How long a line may last until it is kept short once it is full, and for how long nobody may be turned away for that
#: until it is not.
LASTS_S = 0.25
FEWEST = 32
"""Enough to keep the pool's connections busy."""


class Admission:
    """The outermost middleware, so that a refusal costs next to nothing: no span, no log line, no body read."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        at_once: int = AT_ONCE,
        at_work: int = FEWEST,
        within_s: float = WITHIN_S,
        stands_s: float = STANDS_S,
        lasts_s: float = LASTS_S,
    ) -> None:
        self._app = app
        self._at_once = at_once
        self._fewest = min(at_once, FEWEST)
        self._at_work = at_work
        self._within_s = within_s
        self._stands_s = stands_s
        self._lasts_s = lasts_s
        self._turned_away = metrics.HTTP_REFUSED.labels("overloaded")
        self._overloaded = Refusal(problems.Overloaded("as many as can be are being answered already"))
        self.too_slow = Refusal(problems.TooSlow(f"it was not answered within {within_s:g} s"))
        #: Requests that nothing was answered to yet. A stream is none of them once it has begun.
        self.inside = 0
        #: Those of them that are worked on, and the others, who came first in front.
        self._working = 0
        self._line: deque[_Visit] = deque()
        self._line_since = 0.0
        self._short_until = 0.0
        #: Beside them those whose tasks are made and have not begun: what was read by one look at the connections.
        self._coming = 0
        self._turned_away_at = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in QUIET:
            await self._app(scope, receive, send)
        elif self.is_closed_to(scope["path"]):
            await self._turn_away(scope, send)
        else:
            await self._let_in(scope, receive, _Visit(self, scope, send, self._within_s))

    @property
    def has_room(self) -> bool:
        """For whoever comes: so few are inside."""
        return self.inside + self._coming < self._fewest

    def is_closed_to(self, path: str) -> bool:
        """Who is told so is turned away."""
        if self.has_room or path in QUIET:
            return False
        now = asyncio.get_running_loop().time()
        is_full = self.inside + self._coming >= self._at_once
        if not is_full and now >= self._short_until:
            return False
        if not is_full or (self._line and now - self._line_since > self._lasts_s):
            self._short_until = now + self._lasts_s
        self._turned_away_at = now
        return True

    def expect(self) -> None:
        """One is let in at the door, and not inside before his task begins: else whoever comes by the same look at the
        connections is let in with him, and sent away by the app, which costs twice as much."""
        if not self._coming:
            # Before the first of their tasks, and nobody comes to the door between the two.
            asyncio.get_running_loop().call_soon(self._all_begin)
        self._coming += 1

    def turned_away(self, method: str, request_id: str) -> bytes:
        """What goes over the wire to him who is one too many, and whose connection is kept."""
        self._turned_away.inc()
        return self._overloaded.written(method, request_id)

    def _all_begin(self) -> None:
        self._coming = 0

    def begin(self, visit: "_Visit") -> bool:
        """Whether it may be worked on at once; else it stands in line now."""
        if self._working < self._at_work:
            self._working += 1
            return True
        if not self._line:
            self._line_since = visit.began_at
        self._line.append(visit)
        return False

    def next_in_line(self, now: float) -> None:
        """One is done with. Whose turn it is, it stays the same number; nobody's, it is one fewer."""
        while self._line:
            visit = self._line.popleft()
            stale = now - visit.began_at > self._stands_s and self._turned_away_at > visit.began_at
            if visit.called(works=not stale) and not stale:
                return
        self._working -= 1

    async def _let_in(self, scope: Scope, receive: Receive, visit: "_Visit") -> None:
        try:
            if await visit.turn():
                await self._app(scope, receive, visit.send)
            else:
                await self._turn_away(scope, visit.send)
        except (Exception, asyncio.CancelledError):
            if visit.refusal is None:
                raise
            # It was given up: whatever it says now, its caller was told.
            visit.task.uncancel()
        finally:
            visit.leave()
        if visit.refusal is not None:
            await visit.refusal

    async def _turn_away(self, scope: Scope, send: Send) -> None:
        self._turned_away.inc()
        await self._overloaded.give(scope, send)


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
        self._loop = asyncio.get_running_loop()
        self.began_at = self._loop.time()
        self._alarm = self._loop.call_later(within_s, self._give_up)
        admission.inside += 1
        #: Whether it is one of those that are worked on.
        self._works = False
        #: While it stands in line.
        self._call: asyncio.Future[bool] | None = None

    async def turn(self) -> bool:
        """True once it is worked on, False where it stood in line for too long."""
        if self._admission.begin(self):
            self._works = True
            return True
        self._call = self._loop.create_future()
        return await self._call

    def called(self, *, works: bool) -> bool:
        """It is its turn, or it is to go. False where it went already."""
        if self._call is None or self._call.done():
            return False
        self._works = works
        self._call.set_result(works)
        return True

    async def send(self, message: Message) -> None:
        if self.refusal is None:
            self.leave()
            await self._send(message)

    def leave(self) -> None:
        if self._is_inside:
            self._is_inside = False
            self._alarm.cancel()
            self._admission.inside -= 1
            if self._works:
                self._admission.next_in_line(self._loop.time())

    def _give_up(self) -> None:
        """The caller is told at once: what hangs in a dead connection may not end for long, though it is cancelled."""
        self.leave()
        metrics.HTTP_REFUSED.labels("too-slow").inc()
        self.refusal = asyncio.create_task(self._admission.too_slow.give(self._scope, self._send))
        self.task.cancel()
