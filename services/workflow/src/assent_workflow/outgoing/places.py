"""Whom something is sent to at this moment, and for whom else there is room: who does not answer is in nobody's way.

There are so many places. Whoever is answered within a second has one as long as that; who is not goes on aside, and his
place is free. From then on the receiver is slow, until it takes something within a second again: what is sent to it
meanwhile begins aside. So those who answer wait for who does not a second at the most, once, for every so many
receivers that fell silent together, however many they are and however long they stay silent.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from assent_common.database import is_transient
from assent_common.supervise import either

from assent_workflow import metrics

LOOK_EVERY_S = 1.0
PATIENCE_S = 1.0
#: For one place so many wait aside: that costs a connection, and nothing else.
ASIDE = 5
#: Longer than the longest pause between two attempts: who is tried at all is not forgotten.
SLOW_FOR_S = 86_400.0

Receiver = UUID | str
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Room:
    """What may be begun now."""

    #: How many.
    most: int
    #: How many to one receiver at once, those under way with them.
    each: int
    under_way: Mapping[Receiver, int]
    slow: Collection[Receiver]
    #: Whether it is for those who are slow, or for all others.
    aside: bool = False


@dataclass(frozen=True)
class _Attempt:
    receiver: Receiver
    began: float


class Places:
    """Of one process: each learns by itself who is slow."""

    def __init__(
        self,
        claim: Callable[[Room], Awaitable[Sequence[Row]]],
        send: Callable[[Row], Awaitable[bool]],
        of: Callable[[Row], Receiver],
        *,
        channel: str,
        at_once: int,
        prepare: Callable[[], Awaitable[None]] | None = None,
        together: bool = False,
    ) -> None:
        """`prepare` makes what is to be sent, before each look. `claim` takes what is due and there is room for, and
        that is begun at once; `send` is true where it was taken there. `together`: all goes to one receiver, which has
        all places, and nothing goes aside.
        """
        self._prepare = prepare
        self._claim = claim
        self._send = send
        self._of = of
        self._at_once = at_once
        self._each = at_once if together else max(at_once // 2, 1)
        self._patience_s = float("inf") if together else PATIENCE_S
        self._sending: dict[asyncio.Task[None], _Attempt] = {}
        #: Each with when it was last seen to be.
        self._slow: dict[Receiver, float] = {}
        self._are_slow = metrics.OUTGOING_SLOW.labels(channel)

    async def run(self, stopping: asyncio.Event) -> None:
        """Told to stop before it began, it looks once, and sees what it finds to its end."""
        try:
            while True:
                more = False
                try:
                    self._see_who_ended()
                    more = await self._fill()
                except Exception as error:
                    if not is_transient(error):
                        raise
                await self._rest(stopping, more=more)
                if stopping.is_set():
                    break
            # What was sent is put on record, if that is soon: the service does not wait for long.
            await asyncio.gather(*self._sending, return_exceptions=True)
        finally:
            for task in self._sending:
                task.cancel()
            await asyncio.gather(*self._sending, return_exceptions=True)
            self._sending.clear()

    def _see_who_ended(self) -> None:
        """And who is slow. Raises what one of them did."""
        now = asyncio.get_running_loop().time()
        silent = {
            each.receiver: now
            for task, each in self._sending.items()
            if not task.done() and now - each.began >= self._patience_s
        }
        self._slow = {each: seen for each, seen in (self._slow | silent).items() if now - seen < SLOW_FOR_S}
        self._are_slow.set(len(self._slow))
        for task in [task for task in self._sending if task.done()]:
            del self._sending[task]
            task.result()

    async def _fill(self) -> bool:
        """True if there may be more than there is room for."""
        if self._prepare is not None:
            await self._prepare()
        for room in self._rooms():
            rows, began = await self._claim(room), asyncio.get_running_loop().time()
            for row in rows:
                self._sending[asyncio.create_task(self._attempt(row))] = _Attempt(self._of(row), began)
        full = len(self._in_places()) >= self._at_once
        return full or any(
            count >= self._each for receiver, count in self._under_way().items() if receiver not in self._slow
        )

    def _rooms(self) -> list[Room]:
        under_way, in_places = self._under_way(), len(self._in_places())
        rooms = []
        if in_places < self._at_once:
            rooms.append(Room(self._at_once - in_places, self._each, under_way, self._slow))
        aside = len(self._sending) - in_places
        if self._slow and aside < self._at_once * ASIDE:
            rooms.append(Room(self._at_once * ASIDE - aside, self._at_once, under_way, self._slow, aside=True))
        return rooms

    def _under_way(self) -> Counter[Receiver]:
        return Counter(each.receiver for each in self._sending.values())

    def _in_places(self) -> list[asyncio.Task[None]]:
        return [task for task, each in self._sending.items() if each.receiver not in self._slow]

    async def _attempt(self, row: Row) -> None:
        clock, receiver = asyncio.get_running_loop().time, self._of(row)
        began = clock()
        taken = await self._send(row)
        if clock() - began >= self._patience_s:
            self._slow[receiver] = clock()
        elif taken:
            self._slow.pop(receiver, None)

    async def _rest(self, stopping: asyncio.Event, *, more: bool) -> None:
        """For a second. If there is more to send, until half of the places are free, for each look costs statements; or
        until somebody loses his.
        """
        freed, within_s, waited_for = asyncio.Event(), LOOK_EVERY_S, self._in_places()

        def ended(_: asyncio.Task[None]) -> None:
            if sum(not task.done() for task in waited_for) * 2 <= len(waited_for):
                freed.set()

        if more and waited_for:
            for task in waited_for:
                task.add_done_callback(ended)
            first = min(self._sending[task].began for task in waited_for)
            within_s = min(within_s, max(first + self._patience_s - asyncio.get_running_loop().time(), 0.0))
        try:
            await either(freed, stopping, within_s=within_s)
        finally:
            for task in waited_for:
                task.remove_done_callback(ended)
