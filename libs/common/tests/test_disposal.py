"""Ending aiokafka's clients ends nothing else."""

import asyncio
import contextlib
import struct
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaProducer
from assent_common.kafka.disposal import abandon_producer, close_admin, start

from tests.support.wait import until

API_VERSIONS, METADATA = 18, 3


class Client:
    """As aiokafka's when a connection was being made: it waits for a task that it has cancelled."""

    async def close(self) -> None:
        connecting = asyncio.create_task(asyncio.sleep(60))
        await asyncio.sleep(0)
        connecting.cancel()
        await asyncio.gather(connecting)


class Hanging:
    async def close(self) -> None:
        await asyncio.sleep(60)


class Admin:
    def __init__(self, client: object) -> None:
        self._client = client


async def test_what_a_client_cancels_of_its_own_is_not_us() -> None:
    await close_admin(cast(Any, Admin(Client())))


async def test_who_is_cancelled_while_it_ends_is_cancelled() -> None:
    closing = asyncio.create_task(close_admin(cast(Any, Admin(Hanging()))))
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing


async def test_a_start_that_is_given_up_leaves_no_connection_behind() -> None:
    """The broker takes connections and says what it understands; who its members are it does not say."""
    open_ones: set[asyncio.StreamWriter] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_ones.add(writer)
        with contextlib.suppress(asyncio.IncompleteReadError):
            while request := await reader.readexactly(*struct.unpack(">i", await reader.readexactly(4))):
                api, _, correlation = struct.unpack(">hhi", request[:8])
                if api == API_VERSIONS:
                    said = struct.pack(">ihi3h", correlation, 0, 1, METADATA, 0, 5)
                    writer.write(struct.pack(">i", len(said)) + said)
                else:
                    asked.set()
        writer.close()
        open_ones.remove(writer)

    asked = asyncio.Event()
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    producer = AIOKafkaProducer(bootstrap_servers=f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
    async with server:
        starting = asyncio.create_task(start(producer))
        await asyncio.wait_for(asked.wait(), timeout=10)
        assert len(open_ones) == 1
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        await until(lambda: not open_ones, within_s=10)
    await abandon_producer(producer)
