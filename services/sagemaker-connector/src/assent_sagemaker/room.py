"""Room for documents, in all full readings of this process together.

Sources are read beside each other because AWS lets each of them wait, and those that are slow must hold up no other.
What came of them is understood by one processor and kept over a few connections: with more of it at once nothing is
done sooner, but all of it is in memory, which Python does not give back, and others wait for a connection in vain.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

AHEAD = 16
"""So many pages are read before those before them are kept. But each reading may have one, however many there are."""

CROWDED = 2
"""Where the share of each is smaller, pages wait as they came, for that takes less than half of the memory."""

UNDERSTOOD_AT_ONCE = 6
"""Of the pages that waited as they came."""


class Room:
    def __init__(self, *, kept_at_once: int, ahead: int = AHEAD) -> None:
        #: From understanding a page that waited as it came, with its reports, until it is kept.
        self.understanding = asyncio.Semaphore(UNDERSTOOD_AT_ONCE)
        #: Who has no place waits here, for as long as it takes, rather than for a connection, which is an error soon.
        self.keeping = asyncio.Semaphore(kept_at_once)
        self._most_ahead = ahead
        self._ahead = 0
        self._readings = 0

    @contextmanager
    def ahead(self) -> Iterator["Ahead"]:
        """One reading's places for pages that nobody asked for yet. What is left of them is given back in the end."""
        places = Ahead(self)
        self._readings += 1
        try:
            yield places
        finally:
            self._readings -= 1
            self._ahead -= places.taken

    @property
    def is_crowded(self) -> bool:
        return self._share < CROWDED

    @property
    def _share(self) -> int:
        return self._most_ahead // max(1, self._readings)

    def _has_for(self, taken: int) -> bool:
        return taken == 0 or (taken < self._share and self._ahead < self._most_ahead)


class Ahead:
    """As a semaphore: of all places a fair share, and one at any time."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._given_back = asyncio.Event()
        self.taken = 0

    async def acquire(self) -> None:
        # Whoever has one need not hear of those that others give back: it looks again when its own is taken from it.
        while not self._room._has_for(self.taken):
            self._given_back.clear()
            await self._given_back.wait()
        self.taken += 1
        self._room._ahead += 1

    def release(self) -> None:
        self.taken -= 1
        self._room._ahead -= 1
        self._given_back.set()
