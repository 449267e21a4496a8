"""Clients over connections that are kept, and nothing of an HTTP library.

Requests at a fixed rate, whatever the server does: who waits for an answer before he asks again hides its queue. Or as
fast as it takes them. By protocols and without tasks: a client that takes as much of the machine for a request as the
server does measures itself.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from statistics import quantiles
from typing import cast

CONNECTIONS = 64
#: How long what was asked may take to be answered in the end.
PATIENCE_S = 60.0
#: The head of what is no answer.
LOST = b"HTTP/1.1 000 the connection was lost"

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Requests = Callable[[], bytes]
Take = Callable[[bytes, float], None]
"""What is done with the head of an answer, and the seconds since its request was due."""


@dataclass(frozen=True, slots=True)
class Load:
    """What came of some seconds of asking."""

    requests: int
    seconds: float
    #: Of each request, in milliseconds.
    p50: float
    p99: float
    #: How many were told to come again (503), and are in none of the times.
    refused: int = 0

    @property
    def a_second(self) -> float:
        return self.requests / self.seconds

    def __str__(self) -> str:
        return f"{self.a_second:,.0f} a second, p50 {self.p50:.1f} ms, p99 {self.p99:.1f} ms"


async def ask(stream: Stream, request: bytes) -> bytes:
    """The head of the answer. Its body is read, and thrown away."""
    reader, writer = stream
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    await reader.readexactly(int(length.partition(b":")[2]))
    return head


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
    said = _Said()
    lasted = await when_due(port, in_turn(requests), said.take, connections=CONNECTIONS, rate=rate, seconds=seconds)
    return said.load(lasted)


async def at_once(port: int, paths: Sequence[str], *, token: str, clients: int, seconds: float) -> Load:
    """Get the paths in turn, each client one after the other. AssertionError for any answer but 200."""
    said = _Said()
    requests = [f"GET {path} HTTP/1.1\r\nHost: b\r\nAuthorization: Bearer {token}\r\n\r\n".encode() for path in paths]
    lasted = await as_fast_as_can_be(port, in_turn(requests), said.take, connections=clients, seconds=seconds)
    assert not said.refused, "503"
    return said.load(lasted)


class _Said:
    """What is answered, where all else than 200 and 503 is a mistake."""

    def __init__(self) -> None:
        self.refused = 0
        self._took_ms: list[float] = []

    def take(self, head: bytes, seconds: float) -> None:
        if head.startswith(b"HTTP/1.1 200"):
            self._took_ms.append(seconds * 1000)
        else:
            assert head.startswith(b"HTTP/1.1 503"), head
            self.refused += 1

    def load(self, lasted: float) -> Load:
        cuts = quantiles(self._took_ms, n=100)
        return Load(len(self._took_ms), lasted, cuts[49], cuts[98], self.refused)


def in_turn(requests: Sequence[bytes]) -> Requests:
    numbers = count()
    return lambda: requests[next(numbers) % len(requests)]
