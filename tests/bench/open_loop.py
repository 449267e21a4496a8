"""Requests at a fixed rate, whatever the server does: who waits for an answer before he asks again hides its queue.

By protocols and without tasks: a client that takes as much of the machine for a request as the server does measures
itself.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import count
from statistics import quantiles
from typing import cast

from tests.bench.http import Load

CONNECTIONS = 64
#: How long what was asked may take to be answered in the end.
PATIENCE_S = 60.0
#: The head of what is no answer.
LOST = b"HTTP/1.1 000 the connection was lost"

Requests = Callable[[], bytes]
Take = Callable[[bytes, float], None]
"""What is done with the head of an answer, and the seconds since its request was due."""


async def when_due(
    port: int, requests: Requests, take: Take, *, connections: int, rate: float, seconds: float
) -> float:
    """Each request is sent when it is due, or once one of the connections is free. Returns how many seconds all of it
    took, without what it takes to open them."""
    waiting = deque[float]()
    asking = _Asking(port, requests, take, lambda: waiting.popleft() if waiting else None)
    await asking.open(connections)
    began = time.perf_counter()
    for number in range(int(rate * seconds)):
        due_at = began + number / rate
        if (early := due_at - time.perf_counter()) > 0:
            await asyncio.sleep(early)
        elif number % 100 == 0:
            await asyncio.sleep(0)
        waiting.append(due_at)
        asking.one_more()
    return await asking.answered() - began


async def as_fast_as_can_be(port: int, requests: Requests, take: Take, *, connections: int, seconds: float) -> float:
    """Each connection asks again once it is answered. Returns how many seconds all of it took."""
    began = time.perf_counter()
    asking = _Asking(port, requests, take, lambda: now if (now := time.perf_counter()) < began + seconds else None)
    await asking.open(connections)
    await asyncio.sleep(seconds)
    return await asking.answered() - began


class _Asking:
    """Who is free to ask, and what is due: `due` says since when, and takes it away; None where nothing is."""

    def __init__(self, port: int, requests: Requests, take: Take, due: Callable[[], float | None]) -> None:
        self._port = port
        self._requests = requests
        self._take = take
        self._due = due
        self._free: list[_Connection] = []
        #: Connections that were idle for so long that the server closed them.
        self._closed = 0
        self._opening: set[asyncio.Task[None]] = set()
        self._unanswered = 0

    async def open(self, connections: int = 1) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(connections):
            await loop.create_connection(lambda: _Connection(self), "127.0.0.1", self._port)

    def one_more(self) -> None:
        """Something became due."""
        if self._free:
            self.is_free(self._free.pop())
        elif self._closed:
            self._closed -= 1
            opening = asyncio.create_task(self.open())
            self._opening.add(opening)
            opening.add_done_callback(self._opening.discard)

    def is_free(self, connection: "_Connection") -> None:
        if (due_at := self._due()) is None:
            self._free.append(connection)
        else:
            self._unanswered += 1
            connection.ask(self._requests(), due_at)

    def take(self, head: bytes, due_at: float) -> None:
        self._unanswered -= 1
        self._take(head, time.perf_counter() - due_at)

    def was_closed(self, connection: "_Connection") -> None:
        self._closed += 1
        if connection in self._free:
            self._free.remove(connection)

    async def answered(self) -> float:
        """Once all is: when that was."""
        async with asyncio.timeout(PATIENCE_S):
            while self._unanswered or self._opening:
                await asyncio.sleep(0.001)
        at = time.perf_counter()
        for connection in self._free:
            connection.close()
        return at


class _Connection(asyncio.Protocol):
    def __init__(self, asking: _Asking) -> None:
        self._asking = asking
        self._transport: asyncio.Transport
        self._heard = b""
        #: Of what it waits for an answer to.
        self._due_at: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's is none by its class.
        self._transport = cast(asyncio.Transport, transport)
        self._asking.is_free(self)

    def ask(self, request: bytes, due_at: float) -> None:
        self._due_at = due_at
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._heard += data
        head, end, body = self._heard.partition(b"\r\n\r\n")
        if end and len(body) >= _length(head):
            assert self._due_at is not None, "an answer that nobody asked for"
            self._heard, due_at, self._due_at = b"", self._due_at, None
            self._asking.take(head, due_at)
            self._asking.is_free(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._due_at is not None:
            self._asking.take(LOST, self._due_at)
        self._asking.was_closed(self)

    def close(self) -> None:
        self._transport.close()


def _length(head: bytes) -> int:
    _, _, after = head.lower().partition(b"\r\ncontent-length:")
    return int(after.partition(b"\r\n")[0])


async def at_rate(port: int, requests: Sequence[bytes], *, rate: float, seconds: float) -> Load:
    """Ask in turn. Each takes from when it was due, not from when it could be sent. AssertionError for all but 200, and
    503, which is counted."""
    took: list[float] = []
    refused = 0

    def take(head: bytes, since_due_s: float) -> None:
        nonlocal refused
        assert head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 503")), head
        if head.startswith(b"HTTP/1.1 200"):
            took.append(since_due_s * 1000)
        else:
            refused += 1

    lasted = await when_due(port, in_turn(requests), take, connections=CONNECTIONS, rate=rate, seconds=seconds)
    cuts = quantiles(took, n=100)
    return Load(len(took), lasted, cuts[49], cuts[98], refused)


def in_turn(requests: Sequence[bytes]) -> Requests:
    numbers = count()
    return lambda: requests[next(numbers) % len(requests)]
