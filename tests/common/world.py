"""A small world to test the common library in: entities that change, and tell of each change as they do."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import DEVNULL, Process
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import NamedTuple

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from assent_common import schema
from assent_common.clock import SystemClock
from assent_common.database import Database
from assent_common.events import envelope
from assent_common.events.envelope import CloudEvent
from assent_common.events.registry import ModelObserved
from assent_common.health import Health
from assent_common.kafka import topics
from assent_common.kafka.consumer import Apply, Consumer
from assent_common.kafka.silence import HEARS_WITHIN_S
from assent_common.outbox.relay import Relay
from assent_common.settings import Settings
from assent_common.supervise import Duty
from assent_common.uow import UnitOfWork

GROUP = "assent-tests"
OBSERVED = "assent.registry.model.observed.v1"
BORN = datetime(2026, 1, 1, tzinfo=UTC)

TABLES = """
create table entities (key text primary key, sequence bigint not null);
create table applied (key text primary key, sequence bigint not null);
"""
GROW = """
insert into entities as e values ($1, 1)
on conflict (key) do update set sequence = e.sequence + 1
returning sequence
"""
APPLY = """
insert into applied as a
select key, max(sequence) from unnest($1::text[], $2::bigint[]) as n(key, sequence) group by key
on conflict (key) do update set sequence = excluded.sequence where excluded.sequence > a.sequence
"""


class Told(NamedTuple):
    """What a topic says of an entity."""

    partition: int
    key: str
    sequence: int


def a_database(settings: Settings, service: str = "tests") -> Database:
    return Database(settings.database_url.get_secret_value(), service=service, clock=SystemClock())


async def lay(database: Database) -> None:
    async with database.connection() as connection:
        await connection.execute(schema.V1 + schema.V2 + TABLES)


async def change(database: Database, key: str, *, scope: str | None = None, description: str | None = None) -> int:
    """One more change of an entity, committed together with its event. Its sequence."""
    async with database.transaction() as uow:
        sequence: int = await (await uow.sql()).fetchval(GROW, key)
        uow.emit(topics.REGISTRY, OBSERVED, key, sequence, a_model(key, description), scope=scope)
    return sequence


def a_model(key: str, description: str | None = None) -> ModelObserved:
    return ModelObserved(urn=key, source="tests", name=key, description=description, created_at=BORN)


def an_event(key: str = "churn", sequence: int = 1, **other: str) -> CloudEvent:
    return envelope.create(
        source="/assent/tests",
        type=OBSERVED,
        subject=key,
        sequence=sequence,
        time=BORN,
        data=a_model(key, other.pop("description", None)),
        correlation_id=other.get("correlation_id"),
        traceparent=other.get("traceparent"),
    )


def a_relay(settings: Settings, database: Database, health: Health | None = None) -> Relay:
    return Relay(settings, database, health or Health(SystemClock()), topics=[topics.REGISTRY])


async def apply(uow: UnitOfWork, events: Sequence[CloudEvent]) -> None:
    """What consumers do, in small: rows guarded by the sequence."""
    keys, sequences = [event.subject for event in events], [event.number for event in events]
    await (await uow.sql()).execute(APPLY, keys, sequences)


def a_consumer(
    settings: Settings,
    database: Database,
    health: Health,
    apply: Apply = apply,
    *,
    lanes: int = 1,
    hears_within_s: float = HEARS_WITHIN_S,
) -> Consumer:
    return Consumer(
        settings,
        database,
        health,
        group=GROUP,
        topics=[topics.REGISTRY],
        apply=apply,
        service_version="9.9.9",
        lanes=lanes,
        hears_within_s=hears_within_s,
    )


def environment_of(settings: Settings) -> dict[str, str]:
    """The same settings for another process."""
    return {
        **os.environ,
        "ASSENT_DATABASE_URL": settings.database_url.get_secret_value(),
        "ASSENT_KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
        "ASSENT_KAFKA_TOPIC_PREFIX": settings.kafka_topic_prefix,
        "ASSENT_KAFKA_PARTITIONS": str(settings.kafka_partitions),
        "ASSENT_SERVICE_TOKENS": json.dumps(settings.service_tokens),
    }


async def a_process(module: str, settings: Settings, *, log: int | None = None, **variables: str) -> Process:
    """`python -m tests.common.<module>`, to be killed."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"tests.common.{module}"),
        stdout=DEVNULL,
        stderr=log,
        env=environment_of(settings) | variables,
    )


@asynccontextmanager
async def running(*duties: Duty) -> AsyncIterator[None]:
    """The duties run for as long as the block does, and none may fail."""
    stopping = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for duty in duties:
            tasks.create_task(_run(duty, stopping))
        try:
            yield
        finally:
            stopping.set()


async def _run(duty: Duty, stopping: asyncio.Event) -> None:
    await duty(stopping)


class Undone(Exception):
    """Raised in the middle of a transaction, to undo it."""


async def unpublished(database: Database) -> int:
    return await value(database, "select count(*) from outbox where published_at is null")


async def value(database: Database, statement: str, *arguments: object) -> int:
    async with database.connection() as connection:
        answer: int = await connection.fetchval(statement, *arguments)
        return answer


async def rows(database: Database, statement: str, *arguments: object) -> list[asyncpg.Record]:
    async with database.connection() as connection:
        found: list[asyncpg.Record] = await connection.fetch(statement, *arguments)
        return found


async def committed(settings: Settings, offset: int) -> bool:
    """Where the group has got to in the partition that `send` writes to."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap_servers,
        group_id=settings.kafka_topic_prefix + GROUP,
        enable_auto_commit=False,
    )
    await consumer.start()
    try:
        partition = TopicPartition(topics.REGISTRY.full_name(settings.kafka_topic_prefix), 0)
        return (await consumer.committed(partition) or 0) == offset
    finally:
        await consumer.stop()


async def told(settings: Settings) -> list[Told]:
    """Everything on the registry topic, in order within each partition."""
    records = await records_of(settings, topics.REGISTRY.full_name(settings.kafka_topic_prefix))
    return [Told(record.partition, record.key.decode(), envelope.from_bytes(record.value).number) for record in records]


async def records_of(settings: Settings, topic: str) -> list[ConsumerRecord]:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=settings.kafka_bootstrap_servers, auto_offset_reset="earliest")
    await consumer.start()
    try:
        partitions = [TopicPartition(topic, n) for n in sorted(consumer.partitions_for_topic(topic) or ())]
        wanted = sum((await consumer.end_offsets(partitions)).values())
        found: list[ConsumerRecord] = []
        async with asyncio.timeout(30):
            while len(found) < wanted:
                fetched = await consumer.getmany(timeout_ms=100)
                found += [record for batch in fetched.values() for record in batch]
        return found
    finally:
        await consumer.stop()


async def send(
    settings: Settings,
    topic: topics.Topic,
    messages: Sequence[tuple[bytes | None, bytes | None]],
    *,
    by_key: bool = False,
) -> None:
    """Put bytes on a topic, whatever they are. All of one call go to one partition, or each where its key leads."""
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers, max_request_size=4_000_000)
    await producer.start()
    try:
        for key, body in messages:
            await producer.send(
                topic.full_name(settings.kafka_topic_prefix), body, key=key, partition=None if by_key else 0
            )
        await producer.flush()
    finally:
        await producer.stop()


def by_key(said: Sequence[Told]) -> dict[str, list[int]]:
    sequences: dict[str, list[int]] = defaultdict(list)
    for _, key, sequence in said:
        sequences[key].append(sequence)
    return dict(sequences)


def without_repetitions(sequences: Sequence[int]) -> list[int]:
    """What a reader that is guarded by the sequence makes of them."""
    kept: list[int] = []
    for sequence in sequences:
        if not kept or sequence > kept[-1]:
            kept.append(sequence)
    return kept
