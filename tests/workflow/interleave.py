"""Two operations at once, in every order of their statements, one order after the other.

Each is stopped after each statement that it sends, and goes on when it is told. One that waits for a lock in the
database is seen to wait, and the other goes on. So nothing is left to chance: an order is a list of choices, and
`orders` goes through all of them, depth first.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from tests.workflow.statements import SENT

# Not by what the process says that it waits for: on a busy machine it says so for a while after the lock is its own.
WAITS = "select where cardinality(pg_blocking_pids($1)) > 0"
WHAT = """
select pid, pg_blocking_pids(pid) as by, wait_event, left(query, 300) as query from pg_stat_activity where pid = any($1)
"""

Operation = Callable[[], Awaitable[Any]]
Meaningful = Callable[[str], bool]


@dataclass
class Orders:
    """Which choices were made in the last run, and which are left."""

    #: How often the two may take turns where neither has to wait; as often as they can, where absent.
    most_turns: int | None
    choices: list[bool] = field(default_factory=list)
    _made: int = 0
    _turns: int = 0

    def turn(self) -> bool:
        """Whether the other goes on now. False first, True in a later run."""
        if self.most_turns is not None and self._turns >= self.most_turns:
            return False
        if self._made == len(self.choices):
            self.choices.append(False)
        choice = self.choices[self._made]
        self._made += 1
        self._turns += choice
        return choice

    def next(self) -> bool:
        """To the next order; False where there is none."""
        del self.choices[self._made :]
        while self.choices and self.choices[-1]:
            self.choices.pop()
        if not self.choices:
            return False
        self.choices[-1] = True
        self._made = self._turns = 0
        return True


async def run(
    monitor: asyncpg.Connection, operations: tuple[Operation, Operation], orders: Orders, is_a_stop: Meaningful
) -> tuple[Any, Any]:
    """Both, in the order that is next; what they return or raise."""
    both = [Stepped(operation, is_a_stop) for operation in operations]
    goes, waits = both
    while not all(each.is_done for each in both):
        if not goes.can_go and not waits.can_go:
            raise AssertionError(f"each waits for the other: {await _what(monitor, both)}")
        if waits.can_go and (not goes.can_go or orders.turn()):
            goes, waits = waits, goes
        await goes.step(monitor)
        if waits.is_blocked:
            await waits.look(monitor)
    return both[0].result, both[1].result


async def _what(monitor: asyncpg.Connection, both: list["Stepped"]) -> list[dict[str, Any]]:
    pids = [each._connection.get_server_pid() for each in both if each._connection is not None]
    return [dict(row) for row in await monitor.fetch(WHAT, pids)]


async def in_every_order(
    monitor: asyncpg.Connection,
    prepared: Callable[[], Awaitable[tuple[Operation, Operation]]],
    *,
    is_a_stop: Meaningful = lambda _: True,
    most_turns: int | None = None,
) -> AsyncIterator[tuple[Any, Any]]:
    """The two results of each order, of operations that are prepared anew for each; either of them begins."""
    for first in (0, 1):
        orders = Orders(most_turns)
        while True:
            pair = await prepared()
            results = await run(monitor, pair if first == 0 else (pair[1], pair[0]), orders, is_a_stop)
            yield results if first == 0 else (results[1], results[0])
            if not orders.next():
                break


async def overtaken(monitor: asyncpg.Connection, first: Operation, by: Operation) -> tuple[Any, Any]:
    """The first has begun, and has done nothing yet, when the other comes and goes."""
    late = Stepped(first, lambda _: True)
    await late.step(monitor)
    answer = await by()
    while not late.is_done:
        await late.step(monitor)
    return late.result, answer


class Stepped:
    """An operation that goes as far as it is told, in statements."""

    def __init__(self, operation: Operation, is_a_stop: Meaningful) -> None:
        self._operation = operation
        self._is_a_stop = is_a_stop
        self._task: asyncio.Task[Any] | None = None
        self._stopped = asyncio.Event()
        self._go = asyncio.Event()
        self._connection: asyncpg.Connection | None = None
        self.is_blocked = False

    @property
    def is_done(self) -> bool:
        return self._task is not None and self._task.done() and not self.is_blocked

    @property
    def can_go(self) -> bool:
        return not self.is_done and not self.is_blocked

    @property
    def result(self) -> Any:
        assert self._task is not None
        return self._task.exception() or self._task.result()

    async def step(self, monitor: asyncpg.Connection) -> None:
        """On to its next stop, to its end, or to where it has to wait."""
        assert self.can_go, "each waits for the other"
        self._stopped.clear()
        if self._task is None:
            context = copy_context()
            context.run(SENT.set, self._sent)
            self._task = asyncio.create_task(self._all(), context=context)
            self._task.add_done_callback(lambda _: self._stopped.set())
        else:
            self._go.set()
        await self.look(monitor)

    async def look(self, monitor: asyncpg.Connection) -> None:
        """Whether it waits for a lock; if not, until it stops."""
        while True:
            try:
                async with asyncio.timeout(0.003):
                    await self._stopped.wait()
            except TimeoutError:
                pid = self._connection.get_server_pid() if self._connection is not None else 0
                self.is_blocked = bool(await monitor.fetch(WAITS, pid)) and not self._stopped.is_set()
                if self.is_blocked:
                    return
            else:
                self.is_blocked = False
                return

    async def _all(self) -> Any:
        return await self._operation()

    async def _sent(self, connection: asyncpg.Connection, query: str) -> None:
        self._connection = connection
        if self._is_a_stop(query):
            self._stopped.set()
            await self._go.wait()
            self._go.clear()
