"""Requests at a fixed rate, whatever the server does: who waits for an answer before he asks again hides its queue."""

import asyncio
import time
from collections.abc import Sequence
from statistics import quantiles

from tests.bench.http import Load

CONNECTIONS = 64


async def at_rate(port: int, requests: Sequence[bytes], *, rate: float, seconds: float) -> Load:
    """Ask in turn. Each takes from when it was due, not from when it could be sent. AssertionError for all but 200, and
    503, which is counted."""
    streams: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        streams.put_nowait(await asyncio.open_connection("127.0.0.1", port))
    took: list[float] = []
    refused = 0

    async def ask(request: bytes, due_at: float) -> None:
        nonlocal refused
        reader, writer = await streams.get()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 503")), head
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.partition(b":")[2]))
        if head.startswith(b"HTTP/1.1 200"):
            took.append((time.perf_counter() - due_at) * 1000)
        else:
            refused += 1
        streams.put_nowait((reader, writer))

    began = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for number in range(int(rate * seconds)):
            due_at = began + number / rate
            await asyncio.sleep(max(0.0, due_at - time.perf_counter()))
            tasks.create_task(ask(requests[number % len(requests)], due_at))
    while not streams.empty():
        streams.get_nowait()[1].close()
    cuts = quantiles(took, n=100)
    return Load(len(took), time.perf_counter() - began, cuts[49], cuts[98], refused)
