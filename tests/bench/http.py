"""Requests as fast as a server takes them: a keep-alive connection for each client, and nothing of an HTTP library."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import quantiles

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


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


async def load(port: int, paths: Sequence[str], *, token: str, clients: int, seconds: float) -> Load:
    """Ask for the paths in turn. AssertionError for any answer but 200."""
    took: list[float] = []
    ends_at = time.perf_counter() + seconds

    async def client(first: int) -> None:
        stream = await asyncio.open_connection("127.0.0.1", port)
        number = first
        while time.perf_counter() < ends_at:
            path = paths[number % len(paths)]
            number += clients
            began = time.perf_counter()
            request = f"GET {path} HTTP/1.1\r\nHost: b\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
            head = await ask(stream, request)
            assert head.startswith(b"HTTP/1.1 200"), head
            took.append((time.perf_counter() - began) * 1000)
        stream[1].close()

    began = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for number in range(clients):
            tasks.create_task(client(number))
    cuts = quantiles(took, n=100)
    return Load(len(took), time.perf_counter() - began, cuts[49], cuts[98])
