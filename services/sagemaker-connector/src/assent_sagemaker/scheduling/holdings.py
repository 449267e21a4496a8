"""The sources that this process holds: its share of all, for as long as it is heard of."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import NamedTuple

from assent_common import ids, telemetry
from assent_common.database import Database, is_transient

from assent_sagemaker.held import Held
from assent_sagemaker.room import Room
from assent_sagemaker.scheduling import leases

TTL_S = 8.0
"""Silent for longer, a process is given up for dead."""

BEAT_EVERY_S = 2.0
LEAVE_WITHIN_S = 2.0


class Changed(NamedTuple):
    gained: Collection[str]
    lost: Collection[str]


class Holdings:
    """What is held may be lost without notice: only the fence, checked in the transaction that writes, is sure."""

    def __init__(self, database: Database) -> None:
        self.reader = ids.new()
        self._database = database
        # Half of the connections are for whoever asks, for decisions and for what is read beside the runs.
        self._room = Room(kept_at_once=max(1, database.pool_size // 2))
        self._held: dict[str, Held] = {}

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def of(self, source: str) -> Held | None:
        return self._held.get(source)

    async def beat(self, among: Collection[str], is_busy: Callable[[str], bool]) -> Changed:
        """Be heard of, and come nearer to this process's share of these sources.

        A newcomer gets its share from those who hold more than theirs, who keep what is busy until it no longer is.
        """
        async with self._database.connection() as connection:
            beat = await leases.beat(connection, self.reader, TTL_S, among)
            lost = set()
            if not beat.was_heard and self._held:
                mine = await leases.mine(connection, self.reader)
                lost = {name for name, held in self._held.items() if mine.get(name) != held.fence}
                self.forget(lost)
            share = -(-len(among) // beat.readers)
            if len(self._held) > share:
                idle = [name for name in self._held if not is_busy(name)]
                surplus = idle[: len(self._held) - share]
                self.forget(surplus)
                await leases.release(connection, self.reader, surplus)
                return Changed((), lost.union(surplus))
            if not beat.any_free or len(self._held) == share:
                return Changed((), lost)
            wanted = [name for name in among if name not in self._held]
            fences = await leases.claim(connection, self.reader, wanted, share - len(self._held))
        self._held |= {name: Held(name, fence, self._database, self._room) for name, fence in fences.items()}
        return Changed(fences.keys(), lost)

    async def give_up(self, sources: Collection[str]) -> None:
        """Let others have these; nothing is under way in them any more."""
        self.forget(sources)
        async with self._database.connection() as connection:
            await leases.release(connection, self.reader, sources)

    def forget(self, sources: Iterable[str]) -> None:
        """These are another's by now."""
        for source in sources:
            self._held.pop(source, None)

    async def leave(self) -> None:
        """Let the others have everything at once."""
        self._held.clear()
        try:
            async with asyncio.timeout(LEAVE_WITHIN_S), self._database.connection() as connection:
                await leases.leave(connection, self.reader)
        except Exception as error:
            if not is_transient(error):
                raise
            telemetry.logger().info("sources_not_released", reason=repr(error))
