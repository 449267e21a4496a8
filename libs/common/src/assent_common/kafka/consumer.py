"""The loop that applies events: in batches, each batch one transaction, offsets committed after it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
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
from assent_common.kafka.disposal import start, stop_consumer
from assent_common.kafka.silence import HEARS_WITHIN_S, Silence
from assent_common.kafka.topics import Topic
from assent_common.settings import Settings
from assent_common.supervise import either, pause
from assent_common.uow import UnitOfWork

Apply = Callable[[UnitOfWork, Sequence[CloudEvent]], Awaitable[None]]
"""Bring events to rows, within one transaction.

They come in order per entity, for that is the order of its partition, any of them perhaps for the second time or
overtaken by a later one that was seen before: `sequence` decides. To raise means that nothing of this batch happens; a
batch that raises is tried again in halves, and what raises alone goes to the dead letters, but for a database that is
not there, which is waited for. What is emitted for one of them belongs inside `telemetry.caused_by(event)`, or takes
`telemetry.passed_on(event)` as its cause: so it carries on its trace.
"""

Fetched = Mapping[TopicPartition, Sequence[ConsumerRecord]]
"""What was read at once, in order within each partition."""

COMMIT_WITHIN_S = 10.0
READ_AT_A_TIME = 50


class _Stopping(Exception):
    """The service stops, and what is in hand was not applied."""


class _Readable(NamedTuple):
    record: ConsumerRecord
    event: CloudEvent


class _Done(NamedTuple):
    applied: int
    letters: list[DeadLetter]


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
        lanes: int = 1,
        hears_within_s: float = HEARS_WITHIN_S,
    ) -> None:
        """`lanes`: how many batches, of different partitions, are applied side by side, so that one is read while
        Postgres writes another. `apply` must stand that."""
        self._settings = settings
        self._database = database
        self._health = health
        self._group = settings.kafka_topic_prefix + group
        self._topics = topics
        self._apply = apply
        self._batch = batch
        self._lanes = lanes
        self._hears_within_s = hears_within_s
        self._name = f"kafka:{self._group}"
        self._health.starting(self._name)
        self._positions: dict[TopicPartition, int] = {}
        self._dead_letters = DeadLetters(settings, group, service_version=service_version)

    async def run(self, stopping: asyncio.Event) -> None:
        """Until `stopping`. Survives broker and database; ends early only with TooManyDeadLetters."""
        backoff_s = 0.5
        try:
            await either(self._database.settled, stopping)
            while not stopping.is_set():
                try:
                    await self._consume(stopping)
                except (KafkaError, OSError, TimeoutError, BrokerUnavailable) as error:
                    self._health.failing(self._name, f"broker: {error!r}")
                    await pause(stopping, backoff_s)
                    backoff_s = min(backoff_s * 2, 10)
                except TooManyDeadLetters as error:
                    self._health.stopped(self._name, str(error))
                    raise
                else:
                    backoff_s = 0.5
        finally:
            await self._dead_letters.close()

    async def _consume(self, stopping: asyncio.Event) -> None:
        await ensure_topics(self._settings, [*self._topics, self._dead_letters.topic])
        consumer = AIOKafkaConsumer(
            *(topic.full_name(self._settings.kafka_topic_prefix) for topic in self._topics),
            **options(self._settings, self._group),
            group_id=self._of_this_generation,
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
                await start(consumer)
            self._health.working(self._name)
            silence = Silence(consumer, hears_within_s=self._hears_within_s)
            while not stopping.is_set():
                fetched = await consumer.getmany(timeout_ms=250, max_records=self._batch * self._lanes)
                silence.listen(fetched)
                if fetched:
                    await self._process(fetched, stopping)
                    await self._commit(consumer, fetched)
                self._measure(consumer, fetched)
                self._health.working(self._name)
        except _Stopping:
            pass
        finally:
            await stop_consumer(consumer)

    @property
    def _of_this_generation(self) -> str:
        """A restored database lacks what was read after the backup: another group, which begins at the beginning."""
        generation = self._database.generation
        return f"{self._group}.{generation}" if generation else self._group

    async def _process(self, fetched: Fetched, stopping: asyncio.Event) -> None:
        lanes = [self._process_lane(lane, stopping) for lane in _lanes(fetched, self._lanes)]
        done = await asyncio.gather(*lanes, return_exceptions=True)
        applied, letters = 0, []
        # Each lane has ended by now: none goes on beside what comes next.
        for outcome in done:
            if isinstance(outcome, BaseException):
                raise outcome
            applied += outcome.applied
            letters += outcome.letters
        if applied:
            self._dead_letters.applied()
        await self._dead_letters.put_aside(letters)
        metrics.CONSUMED.labels(self._group).inc(applied)

    async def _process_lane(self, records: Sequence[ConsumerRecord], stopping: asyncio.Event) -> "_Done":
        readable, letters = await _read(records)
        failed = await self._apply_all(readable, stopping)
        return _Done(len(readable) - len(failed), letters + failed)

    async def _apply_all(self, readable: list[_Readable], stopping: asyncio.Event) -> list[DeadLetter]:
        """Apply as one batch; where that fails, in halves, down to the one that is at fault. Waits for the database.

        Raises _Stopping if not everything was applied when the service stopped.
        """
        if not readable:
            return []
        try:
            await self._patiently([r.event for r in readable], stopping)
        except _Stopping:
            raise
        except Exception as error:  # noqa: BLE001 - not the database's, so an event's: which one is found by halving
            if len(readable) == 1:
                return [DeadLetter(readable[0].record, error)]
            middle = len(readable) // 2
            first = await self._apply_all(readable[:middle], stopping)
            return first + await self._apply_all(readable[middle:], stopping)
        return []

    async def _patiently(self, events: Sequence[CloudEvent], stopping: asyncio.Event) -> None:
        """Apply in one transaction, again and again while it is the database that fails."""
        backoff_s = 0.1
        while not stopping.is_set():
            begun = False
            try:
                with telemetry.tracer.start_as_current_span(f"apply {self._group}", links=telemetry.links_to(events)):
                    async with self._database.transaction() as uow:
                        await uow.sql()
                        begun = True
                        await self._apply(uow, events)
                return
            except Exception as error:
                if begun and not is_transient(error):
                    raise
                self._health.failing(self._name, f"postgres: {error!r}")
                await pause(stopping, backoff_s)
                backoff_s = min(backoff_s * 2, 5)
        raise _Stopping

    async def _commit(self, consumer: AIOKafkaConsumer, fetched: Fetched) -> None:
        ours = consumer.assignment()
        offsets = {partition: after for partition, after in _positions(fetched) if partition in ours}
        try:
            if offsets:
                # On its own it asks a broker that does not answer for ever.
                async with asyncio.timeout(COMMIT_WITHIN_S):
                    await consumer.commit(offsets)
        except (CommitFailedError, IllegalStateError) as error:
            # A rebalance took the partitions meanwhile (aiokafka#929). Their new owner applies the batch again.
            telemetry.logger().info("offsets_not_committed", reason=repr(error))

    def _measure(self, consumer: AIOKafkaConsumer, fetched: Fetched) -> None:
        self._positions.update(_positions(fetched))
        lag = dict.fromkeys((topic.full_name(self._settings.kafka_topic_prefix) for topic in self._topics), 0)
        for partition in consumer.assignment():
            end, position = consumer.highwater(partition), self._positions.get(partition)
            if end is not None and position is not None:
                lag[partition.topic] += max(0, end - position)
        for topic, behind in lag.items():
            metrics.CONSUMER_LAG.labels(topic).set(behind)


def _positions(fetched: Fetched) -> Iterator[tuple[TopicPartition, int]]:
    """Where reading goes on after these, which are in order."""
    return ((partition, records[-1].offset + 1) for partition, records in fetched.items() if records)


def _lanes(fetched: Fetched, wanted: int) -> list[list[ConsumerRecord]]:
    """About as much in each, and each partition in one of them: an entity's events stay in order."""
    lanes: list[list[ConsumerRecord]] = [[] for _ in range(wanted)]
    for records in sorted(fetched.values(), key=len, reverse=True):
        min(lanes, key=len).extend(records)
    return [lane for lane in lanes if lane]


async def _read(records: Sequence[ConsumerRecord]) -> tuple[list[_Readable], list[DeadLetter]]:
    readable, letters = [], []
    for number, record in enumerate(records, 1):
        if number % READ_AT_A_TIME == 0:
            # Whoever asks this process something meanwhile need not wait for the whole batch.
            await asyncio.sleep(0)
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
