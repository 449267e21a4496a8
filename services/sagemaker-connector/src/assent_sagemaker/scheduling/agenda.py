"""Which source is next: pure, and a matter of microseconds however many there are."""

import heapq
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count

SHARE_OF_LONG = 0.75
"""Of all turns at once: the first reading of a large source may take hours, and must not hold up everybody's polls."""


@dataclass(slots=True)
class _Place:
    due_at: datetime
    is_long: bool
    is_wanted: bool = False
    is_running: bool = False
    #: Which of its entries in the heaps counts.
    ticket: int = 0


_Entry = tuple[bool, datetime, int, str]


@dataclass(slots=True)
class Agenda:
    """The sources that this process holds: those that somebody wants come first, then who is due for longest."""

    #: How many turns there may be at once.
    at_once: int
    _places: dict[str, _Place] = field(default_factory=dict)
    _long: list[_Entry] = field(default_factory=list)
    _short: list[_Entry] = field(default_factory=list)
    _tickets: "count[int]" = field(default_factory=count)
    _running: int = 0
    _running_long: int = 0

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, source: object) -> bool:
        return source in self._places

    def put(self, source: str, due_at: datetime, *, is_long: bool) -> None:
        """The source is due then, and not before, unless it is wanted. `is_long`: its turn may take its time."""
        place = self._places.setdefault(source, _Place(due_at, is_long))
        if place.is_running:
            return
        place.due_at, place.is_long = due_at, is_long
        self._queue(source, place)

    def want(self, source: str) -> None:
        """Its turn is now, or when the present one has ended. What is not here is somebody else's."""
        place = self._places.get(source)
        if place is not None and not place.is_wanted:
            place.is_wanted = True
            if not place.is_running:
                self._queue(source, place)

    def drop(self, source: str) -> None:
        place = self._places.pop(source, None)
        if place is not None and place.is_running:
            self._count(place, -1)

    def take(self, now: datetime) -> str | None:
        """The next whose turn begins now; its place is kept until `done`."""
        if self._running >= self.at_once:
            return None
        heaps = [self._short]
        if self._running_long < max(1, int(self.at_once * SHARE_OF_LONG)):
            heaps.append(self._long)
        tops = [(top, heap) for heap in heaps if (top := self._top(heap)) and (not top[0] or top[1] <= now)]
        if not tops:
            return None
        (_, _, _, source), heap = min(tops)
        heapq.heappop(heap)
        place = self._places[source]
        place.is_wanted, place.is_running = False, True
        self._count(place, +1)
        return source

    def done(self, source: str, due_at: datetime, *, is_long: bool) -> None:
        """Its turn has ended; the next one is due then."""
        place = self._places.get(source)
        if place is None or not place.is_running:
            return
        self._count(place, -1)
        place.is_running = False
        self.put(source, due_at, is_long=is_long)

    def is_running(self, source: str) -> bool:
        place = self._places.get(source)
        return place is not None and place.is_running

    def next_due(self) -> datetime | None:
        """When the next turn is due that has not begun."""
        tops = [top[1] for heap in (self._short, self._long) if (top := self._top(heap))]
        return min(tops, default=None)

    def _count(self, place: _Place, by: int) -> None:
        self._running += by
        if place.is_long:
            self._running_long += by

    def _queue(self, source: str, place: _Place) -> None:
        place.ticket = next(self._tickets)
        # What is wanted is looked at first, which is short unless there is more to it.
        heap = self._long if place.is_long and not place.is_wanted else self._short
        heapq.heappush(heap, (not place.is_wanted, place.due_at, place.ticket, source))

    def _top(self, heap: list[_Entry]) -> _Entry | None:
        """The first entry that still counts: others were overtaken by a later one of the same source."""
        while heap:
            place = self._places.get(heap[0][3])
            if place is not None and place.ticket == heap[0][2] and not place.is_running:
                return heap[0]
            heapq.heappop(heap)
        return None
