"""Items as they were written, kept while their versions are as they were.

To write the fifty items of a page takes Postgres longer than to find them, and most lists show what others showed.
"""

from typing import NamedTuple
from uuid import UUID

MOST_CHARACTERS = 8_000_000
LONGEST = 50_000


class State(NamedTuple):
    """One state of one version: whoever writes its row anew gives it another `xmin`, and a change another number."""

    id: UUID
    xmin: int
    changed_sequence: int


class Kept:
    """Of one process. The oldest goes first: what is still asked for is written again."""

    def __init__(self, most_characters: int = MOST_CHARACTERS) -> None:
        self._most = most_characters
        self._items: dict[State, str] = {}
        self._characters = 0

    def get(self, state: State) -> str | None:
        return self._items.get(state)

    def put(self, state: State, item: str) -> None:
        if len(item) > LONGEST or state in self._items:
            return
        self._items[state] = item
        self._characters += len(item)
        while self._characters > self._most:
            self._characters -= len(self._items.pop(next(iter(self._items))))
