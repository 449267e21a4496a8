"""The disposable producer.

aiokafka's idempotent producer can hang for good or lose its sequence (aiokafka#1101, #1017, #1039): so every send has
a deadline, and on any doubt the producer is thrown away with its connections and a new one is built. What was not
acknowledged is sent again by whoever keeps it; consumers are guarded by the event's `sequence`.
"""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from assent_common import metrics, telemetry
from assent_common.kafka.connection import BrokerUnavailable, options
from assent_common.settings import Settings

Headers = Sequence[tuple[str, bytes]]


class Message(NamedTuple):
    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers


class Acknowledged(NamedTuple):
    partition: int
    offset: int


class Publisher:
    """One producer at a time, built when it is first needed."""

    def __init__(self, settings: Settings, client: str) -> None:
        self._settings = settings
        self._client = client
        self._producer: AIOKafkaProducer | None = None

    async def publish(self, messages: Sequence[Message], *, deadline_s: float = 5.0) -> list[Acknowledged]:
        """Hand messages to the broker, in order per key. Returns once every in-sync replica has all of them.

        Raises BrokerUnavailable after `deadline_s` at the latest; some may have arrived then. Not for concurrent use.
        """
        try:
            async with asyncio.timeout(deadline_s):
                producer = self._producer or await self._build()
                futures = [await producer.send(m.topic, value=m.value, key=m.key, headers=m.headers) for m in messages]
                done = await asyncio.gather(*futures)
                return [Acknowledged(record.partition, record.offset) for record in done]
        except (KafkaError, TimeoutError, OSError) as error:
            await self._throw_away()
            raise BrokerUnavailable(repr(error)) from error
        except asyncio.CancelledError:
            await self._throw_away()
            raise

    async def close(self) -> None:
        if self._producer is not None:
            await self._throw_away()

    async def _build(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            **options(self._settings, self._client),
            acks="all",
            enable_idempotence=True,
            compression_type="zstd",
            linger_ms=2,
            max_batch_size=256 * 1024,
            max_request_size=4 * 1024 * 1024,
        )
        # Kept before it has started: one that hangs in start() has connections to be closed, too.
        self._producer = producer
        await producer.start()
        return producer

    async def _throw_away(self) -> None:
        producer, self._producer = self._producer, None
        if producer is None:
            return
        metrics.PRODUCER_REBUILDS.inc()
        try:
            async with asyncio.timeout(1):
                await producer.stop()
        except (KafkaError, TimeoutError, OSError) as error:
            telemetry.logger().warning("producer_abandoned", reason=repr(error))
            # stop() waits for batches that will never go. Without its sender and its sockets nothing that is still here
            # can arrive after what the next producer sends.
            sender = producer._sender.sender_task
            if sender is not None:
                sender.cancel()
                await asyncio.wait([sender], timeout=1)
            producer._message_accumulator.fail_all(BrokerUnavailable("abandoned"))
            await producer.client.close()
