"""Requests at a fixed rate, whatever the server does: who waits for an answer before he asks again hides its queue."""

import asyncio
import time
from collections.abc import Callable, Sequence
from itertools import count
from statistics import quantiles

from tests.bench.http import Load, Stream, ask

CONNECTIONS = 64

Take = Callable[[bytes, float], None]
"""What is done with the head of an answer, and the seconds since its request was due."""


Streams = asyncio.LifoQueue[Stream]


async def opened(port: int, connections: int) -> Streams:
    streams: Streams = asyncio.LifoQueue()
    for _ in range(connections):
        streams.put_nowait(await asyncio.open_connection("127.0.0.1", port))
    return streams


async def when_due(
    port: int, requests: Callable[[], bytes], take: Take, streams: Streams, *, rate: float, seconds: float
) -> float:
    """Each request is sent when it is due, or once one of the streams is free. Returns how many seconds all of it took.

    The streams are closed in the end.
    """

    async def one(due_at: float) -> None:
        stream = await streams.get()
        if stream[0].at_eof():
            # It was idle for so long that the server closed it.
            stream[1].close()
            stream = await asyncio.open_connection("127.0.0.1", port)
        take(await ask(stream, requests()), time.perf_counter() - due_at)
        streams.put_nowait(stream)

    began = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for number in range(int(rate * seconds)):
            due_at = began + number / rate
            if (early := due_at - time.perf_counter()) > 0:
                await asyncio.sleep(early)
            elif number % 100 == 0:
                await asyncio.sleep(0)
            tasks.create_task(one(due_at))
    took = time.perf_counter() - began
    while not streams.empty():
        streams.get_nowait()[1].close()
    return took


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

    streams = await opened(port, CONNECTIONS)
    lasted = await when_due(port, in_turn(requests), take, streams, rate=rate, seconds=seconds)
    cuts = quantiles(took, n=100)
    return Load(len(took), lasted, cuts[49], cuts[98], refused)


def in_turn(requests: Sequence[bytes]) -> Callable[[], bytes]:
    numbers = count()
    return lambda: requests[next(numbers) % len(requests)]
