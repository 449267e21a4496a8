"""Calls in their turn: a token bucket at a learned rate, before which the urgent ones overtake the others."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from assent_sagemaker.aws.rate import Pace, Rate
from assent_sagemaker.aws.urgency import Urgency

Now = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]

BULK_EVERY = 5
"""Each turn of this number goes to the least urgent that waits, so that nothing urgent holds up the rest for good."""

SETTLED_BURST_S = 0.25
"""Of a rate that was learned: a lane that rested may not ask for more at once. Before, it is a second's worth."""


class Turn(NamedTuple):
    """Leave to make one call."""

    epoch: int
    #: Whether a higher rate would have let more calls through.
    was_scarce: bool


class Lane:
    def __init__(self, pace: Pace, now: Now, sleep: Sleep) -> None:
        self._rate = Rate(pace)
        self._now = now
        self._sleep = sleep
        self._tokens = self._burst
        self._filled_at = now()
        self._queues: tuple[deque[asyncio.Future[Turn]], ...] = tuple(deque() for _ in Urgency)
        self._waiting = 0
        self._given = 0
        self._pacing: asyncio.Task[None] | None = None

    @property
    def rate(self) -> float:
        """Calls a second."""
        return self._rate.a_second

    async def take(self, urgency: Urgency = Urgency.BULK) -> Turn:
        """Returns when it is this caller's turn. Among equally urgent ones, who came first goes first.

        A caller that is cancelled while it waits costs the others nothing.
        """
        self._fill()
        if not self._waiting and self._tokens >= 1:
            return self._give()
        turn: asyncio.Future[Turn] = asyncio.get_running_loop().create_future()
        self._queues[urgency].append(turn)
        self._waiting += 1
        if self._pacing is None:
            self._pacing = asyncio.create_task(self._pace())
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._waiting -= 1
            else:
                # Given in the very moment in which it was not wanted any more.
                self._hand_on(turn.result())
            self._rest_if_idle()
            raise

    def went_well(self, turn: Turn) -> None:
        if turn.was_scarce and turn.epoch == self._rate.epoch:
            self._fill()
            self._rate.went_well()

    def was_throttled(self, turn: Turn) -> None:
        self._fill()
        if self._rate.was_throttled(turn.epoch):
            self._tokens = min(self._tokens, 0.0)

    async def _pace(self) -> None:
        """Hands out the turns for as long as anybody waits."""
        while self._waiting:
            self._fill()
            if self._tokens < 1:
                await self._sleep((1 - self._tokens) / self.rate)
                self._fill()
            if self._waiting and not self._hand_on(self._give()):
                # All of them gave up just now, and will say so when they get to it.
                break
        self._pacing = None

    def _hand_on(self, turn: Turn) -> bool:
        waiter = self._next()
        if waiter is None:
            self._tokens += 1
            return False
        self._waiting -= 1
        waiter.set_result(turn)
        return True

    def _next(self) -> "asyncio.Future[Turn] | None":
        queues = self._queues if (self._given + 1) % BULK_EVERY else reversed(self._queues)
        for queue in queues:
            while queue:
                waiter = queue.popleft()
                if not waiter.done():
                    return waiter
        return None

    def _give(self) -> Turn:
        self._given += 1
        self._tokens -= 1
        return Turn(self._rate.epoch, was_scarce=self._tokens < 1)

    def _rest_if_idle(self) -> None:
        if not self._waiting and self._pacing is not None:
            self._pacing.cancel()
            self._pacing = None

    @property
    def _burst(self) -> float:
        return max(1.0, self.rate * (SETTLED_BURST_S if self._rate.is_learned else 1.0))

    def _fill(self) -> None:
        now = self._now()
        self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self.rate)
        self._filled_at = now
