"""The disposable producer.

aiokafka's idempotent producer can hang for good or lose its sequence (aiokafka#1101, #1017, #1039): so every send has
a deadline, and on any doubt the producer is thrown away with its connections and a new one is built. What was not
acknowledged is sent again by whoever keeps it; consumers are guarded by the event's `sequence`.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from assent_common import metrics
from assent_common.kafka.connection import BrokerUnavailable, options
from assent_common.kafka.disposal import abandon_producer, start
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

        Raises BrokerUnavailable when `deadline_s` is over, and nothing is sent after that; it may take two seconds more
        to clean up. Some of the messages may have arrived then. Not for concurrent use.
        """
        futures: list[asyncio.Future[Any]] = []
        try:
            async with asyncio.timeout(deadline_s):
                producer = self._producer or await self._build()
                for m in messages:
                    futures.append(await producer.send(m.topic, value=m.value, key=m.key, headers=m.headers))
                done = await asyncio.gather(*futures)
                return [Acknowledged(record.partition, record.offset) for record in done]
        except (KafkaError, TimeoutError, OSError) as error:
            await self._throw_away(futures)
            raise BrokerUnavailable(repr(error)) from error
        except asyncio.CancelledError:
            await self._throw_away(futures)
            raise

    async def close(self) -> None:
        """Nothing is in flight between two calls of `publish`, so there is nothing to be flushed."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await abandon_producer(producer)

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
        await start(producer)
        return producer

    async def _throw_away(self, futures: Sequence[asyncio.Future[Any]]) -> None:
        for future in futures:
            future.cancel()
        producer, self._producer = self._producer, None
        if producer is not None:
            metrics.PRODUCER_REBUILDS.inc()
            await abandon_producer(producer)
