"""Ending aiokafka's clients ends nothing else."""

import asyncio
from typing import Any, cast

import pytest
from assent_common.kafka.disposal import close_admin


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
