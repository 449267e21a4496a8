"""Start aiokafka's clients and get rid of them whatever state they are in: its own `stop()` waits for a broker that may
never answer, and its `start()` forgets a connection when it is given up.

The only module that knows aiokafka's private parts (0.14).
"""

import asyncio
import traceback
from collections.abc import Awaitable, Iterable

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaError

from assent_common import telemetry

PATIENCE_S = 1.0


class Abandoned(KafkaError):  # type: ignore[misc]
    """The client was thrown away before the broker answered."""


async def start(client: AIOKafkaProducer | AIOKafkaConsumer | AIOKafkaAdminClient) -> None:
    """Start it, and close the connection over which it asked for its first brokers if that is given up.

    aiokafka closes it when an error ends the asking and forgets it when a deadline does: a broker that takes
    connections and answers nothing would get one more each time.
    """
    try:
        await client.start()
    except asyncio.CancelledError as given_up:
        for frame, _ in traceback.walk_tb(given_up.__traceback__):
            connection = frame.f_locals.get("bootstrap_conn")
            if isinstance(connection, AIOKafkaConnection):
                connection.close()
        raise


async def abandon_producer(producer: AIOKafkaProducer) -> None:
    """End it without sending anything more: what it still has is sent again, by whoever keeps it, through another one.

    Returns within two seconds. A request that the broker has received but not answered may still take effect.
    """
    producer._closed = True
    sender = producer._sender.sender_task
    if sender is not None:
        sender.cancel()
    producer._message_accumulator.fail_all(Abandoned())
    await _close(producer.client)
    if sender is not None:
        await asyncio.wait([sender], timeout=PATIENCE_S / 2)
        await _end([sender])
        # What it waited for may have connected once more.
        await _close(producer.client)


async def stop_consumer(consumer: AIOKafkaConsumer) -> None:
    """Leave the group in good order if the broker answers; else end it all the same. Returns within three seconds."""
    if await _ended(consumer.stop(), "consumer_abandoned"):
        return
    coordinator, fetcher = consumer._coordinator, consumer._fetcher
    names = ("_coordination_task", "_heartbeat_task", "_commit_refresh_task", "_reset_committed_task")
    tasks = [task for name in names if (task := getattr(coordinator, name, None)) is not None]
    if fetcher is not None:
        tasks += [fetcher._fetch_task, *fetcher._pending_tasks]
    await _end(tasks)
    await _close(consumer._client)


async def close_admin(admin: AIOKafkaAdminClient) -> None:
    await _close(admin._client)


async def _end(tasks: Iterable[asyncio.Task[object]]) -> None:
    running = [task for task in tasks if not task.done()]
    for task in running:
        task.cancel()
    if running:
        await asyncio.wait(running, timeout=PATIENCE_S)


async def _close(client: AIOKafkaClient) -> None:
    await _ended(client.close(), "client_abandoned")


async def _ended(ending: Awaitable[None], otherwise: str) -> bool:
    """Whether it came to its end. aiokafka waits for tasks of its own that it has cancelled: their cancellation is
    nobody's wish that ours should end."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            await ending
    except asyncio.CancelledError as error:
        ours = asyncio.current_task()
        if ours is None or ours.cancelling():
            raise
        telemetry.logger().warning(otherwise, reason=repr(error))
    except (KafkaError, OSError, TimeoutError) as error:
        telemetry.logger().warning(otherwise, reason=repr(error))
    else:
        return True
    return False
