"""The loop that applies events: in batches, each batch one transaction, offsets committed after it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from assent_common import metrics, telemetry
from assent_common.database import Database, is_transient
from assent_common.events import envelope
from assent_common.events.envelope import CloudEvent, UnknownEventType, UnreadableEvent
from assent_common.health import Health
from assent_common.kafka.connection import BrokerUnavailable, ensure_topics, options
from assent_common.kafka.dead_letters import DeadLetter, DeadLetters, TooManyDeadLetters
from assent_common.kafka.topics import Topic
from assent_common.settings import Settings
from assent_common.supervise import pause
from assent_common.uow import UnitOfWork

Apply = Callable[[UnitOfWork, Sequence[CloudEvent]], Awaitable[None]]
"""Bring events to rows, within one transaction.

They come in order per entity, any of them perhaps for the second time or overtaken by a later one that was seen
before: `sequence` decides. To raise means that nothing of this batch happens; a batch that raises is tried again one
by one, and what raises alone goes to the dead letters, but for a database that is not there, which is waited for.
"""


class _Readable(NamedTuple):
    record: ConsumerRecord
    event: CloudEvent


class Consumer:
    """One consumer group's member in this process."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        health: Health,
        *,
        group: str,
        topics: Sequence[Topic],
        apply: Apply,
        service_version: str,
        batch: int = 500,
    ) -> None:
        self._settings = settings
        self._database = database
        self._health = health
        self._group = settings.kafka_topic_prefix + group
        self._topics = topics
        self._apply = apply
        self._batch = batch
        self._dead_letters = DeadLetters(settings, group, service_version=service_version)

    async def run(self, stopping: asyncio.Event) -> None:
        """Until `stopping`. Survives broker and database; ends early only with TooManyDeadLetters."""
        name = f"kafka:{self._group}"
        backoff_s = 0.5
        try:
            while not stopping.is_set():
                try:
                    await self._consume(stopping, name)
                except (KafkaError, OSError, TimeoutError, BrokerUnavailable) as error:
                    self._health.failing(name, f"broker: {error!r}")
                    await pause(stopping, backoff_s)
                    backoff_s = min(backoff_s * 2, 10)
                except TooManyDeadLetters as error:
                    self._health.stopped(name, str(error))
                    raise
                else:
                    backoff_s = 0.5
        finally:
            await self._dead_letters.close()

    async def _consume(self, stopping: asyncio.Event, name: str) -> None:
        await ensure_topics(self._settings, self._topics)
        consumer = AIOKafkaConsumer(
            *(topic.full_name(self._settings.kafka_topic_prefix) for topic in self._topics),
            **options(self._settings, self._group),
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=10_000,
            heartbeat_interval_ms=2_000,
            max_poll_interval_ms=300_000,
            # Also how long the embedded broker holds back what it has.
            fetch_max_wait_ms=100,
            max_partition_fetch_bytes=2 * 1024 * 1024,
        )
        try:
            async with asyncio.timeout(30):
                await consumer.start()
            self._health.working(name)
            while not stopping.is_set():
                fetched = await consumer.getmany(timeout_ms=250, max_records=self._batch)
                records = [record for batch in fetched.values() for record in batch]
                if records:
                    await self._process(records, stopping)
                    if stopping.is_set():
                        break
                    await self._commit(consumer, records)
                self._measure(consumer)
                self._health.working(name)
        finally:
            try:
                async with asyncio.timeout(3):
                    await consumer.stop()
            except (KafkaError, OSError, TimeoutError) as error:
                telemetry.logger().warning("consumer_abandoned", reason=repr(error))

    async def _process(self, records: Sequence[ConsumerRecord], stopping: asyncio.Event) -> None:
        readable, letters = _read(records)
        letters += await self._apply_all(readable, stopping)
        if len(letters) < len(records):
            self._dead_letters.applied()
        await self._dead_letters.put_aside(letters)

    async def _apply_all(self, readable: list[_Readable], stopping: asyncio.Event) -> list[DeadLetter]:
        """Apply as one batch; where that fails, one by one. Waits for the database as long as it takes."""
        if not readable:
            return []
        try:
            await self._patiently([r.event for r in readable], stopping)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the event's: found out one by one
            if len(readable) == 1:
                return [DeadLetter(readable[0].record, error)]
            middle = len(readable) // 2
            first = await self._apply_all(readable[:middle], stopping)
            return first + await self._apply_all(readable[middle:], stopping)
        return []

    async def _patiently(self, events: Sequence[CloudEvent], stopping: asyncio.Event) -> None:
        backoff_s = 0.1
        while not stopping.is_set():
            try:
                with telemetry.tracer.start_as_current_span(
                    f"apply {self._group}", links=[link for e in events for link in telemetry.link_to(e.traceparent)]
                ):
                    async with self._database.transaction() as uow:
                        await self._apply(uow, events)
            except Exception as error:
                if not is_transient(error):
                    raise
                self._health.failing("postgres", repr(error))
                await pause(stopping, backoff_s)
                backoff_s = min(backoff_s * 2, 5)
            else:
                return

    async def _commit(self, consumer: AIOKafkaConsumer, records: Sequence[ConsumerRecord]) -> None:
        ours = consumer.assignment()
        offsets: dict[TopicPartition, int] = {}
        for record in records:
            partition = TopicPartition(record.topic, record.partition)
            if partition in ours:
                offsets[partition] = max(offsets.get(partition, 0), record.offset + 1)
            metrics.CONSUMED.labels(record.topic).inc()
        try:
            if offsets:
                await consumer.commit(offsets)
        except (CommitFailedError, IllegalStateError) as error:
            # A rebalance took the partitions meanwhile (aiokafka#929). Their new owner applies the batch again.
            telemetry.logger().info("offsets_not_committed", reason=repr(error))

    def _measure(self, consumer: AIOKafkaConsumer) -> None:
        lag: dict[str, int] = {}
        for partition in consumer.assignment():
            end = consumer.highwater(partition)
            state = consumer._subscription.subscription.assignment.state_value(partition)
            position = state._position if state is not None else None
            if end is not None and position is not None:
                lag[partition.topic] = lag.get(partition.topic, 0) + max(0, end - position)
        for topic, records in lag.items():
            metrics.CONSUMER_LAG.labels(topic).set(records)


def _read(records: Sequence[ConsumerRecord]) -> tuple[list[_Readable], list[DeadLetter]]:
    readable, letters = [], []
    for record in records:
        try:
            event = envelope.from_bytes(record.value)
            _ = event.payload
        except UnknownEventType:
            metrics.SKIPPED.labels(record.topic).inc()
        except UnreadableEvent as error:
            letters.append(DeadLetter(record, error))
        else:
            readable.append(_Readable(record, event))
    return readable, letters
