"""The records made anew from the topics: for a database in which something was damaged, beside the service that runs.

Nothing is emptied: what is read is answered with all the while, and histories stay, for compaction leaves only the last
state of each entity in a topic.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from assent_common.database import Database
from assent_common.events import envelope
from assent_common.events.envelope import CloudEvent, UnknownEventType, UnreadableEvent
from assent_common.kafka import topics
from assent_common.kafka.connection import options
from assent_common.kafka.disposal import start, stop_consumer
from assent_common.settings import Settings

from assent_catalog.projection.apply import ALONE, apply

BATCH = 500
_TABLES = ("models", "model_versions", "deployments", "candidacies")
# Below any sequence of an event, and yet not forgotten.
AGE = [f"update {table} set sequence = -sequence - 1 where sequence >= 0" for table in _TABLES]  # noqa: S608
RESTORE = [f"update {table} set sequence = -sequence - 1 where sequence < 0" for table in _TABLES]  # noqa: S608
# By what the topic says alone.
FORGET_STAGES = "update reviewed_stages set sequence = -1"
FORGET_REMOVALS = "delete from removals"
# What a version that is not there would be given anew, and finds still there.
FORGET_STRAYS = """
delete from lineage_edges e
 where to_kind <> 'use_case' and not exists (select from model_versions v where v.urn = e.owner)
   and not exists (select from deployments d where d.urn = e.owner)
"""


class Rebuilt(NamedTuple):
    """How many events were applied, and how many records no event told of: they stay as they were."""

    applied: int
    untold: int


async def rebuild(settings: Settings, database: Database) -> Rebuilt:
    """Apply the last event of each entity once more, whatever its row says; each is told to everybody again.

    When it is broken off, records whose event was not reached yet take any event as new: run it again.
    """
    last: dict[tuple[str, int, bytes | None], int] = {}
    async for records in _read(settings):
        last.update(((r.topic, r.partition, r.key), r.offset) for r in records)
    async with database.transaction() as uow:
        connection = await uow.sql()
        for statement in (ALONE, *AGE, FORGET_STAGES, FORGET_REMOVALS, FORGET_STRAYS):
            await connection.execute(statement)
    applied = 0
    async for records in _read(settings):
        events = _events([r for r in records if last.get((r.topic, r.partition, r.key)) == r.offset])
        async with database.transaction() as uow:
            await apply(uow, events)
        applied += len(events)
    async with database.transaction() as uow:
        connection = await uow.sql()
        untold = [await connection.execute(statement) for statement in RESTORE]
    return Rebuilt(applied, sum(int(status.rpartition(" ")[2]) for status in untold))


async def _read(settings: Settings) -> AsyncIterator[Sequence[ConsumerRecord]]:
    """What both topics hold, from their beginning to where they end now."""
    consumer = AIOKafkaConsumer(**options(settings, "assent-catalog-rebuild"), enable_auto_commit=False)
    try:
        async with asyncio.timeout(30):
            await start(consumer)
        partitions: list[TopicPartition] = []
        for topic in (topics.REGISTRY, topics.GOVERNANCE):
            name = topic.full_name(settings.kafka_topic_prefix)
            partitions += [TopicPartition(name, number) for number in await _partitions(consumer, name)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        while [p for p in partitions if await consumer.position(p) < ends[p]]:
            fetched = await consumer.getmany(timeout_ms=500, max_records=BATCH)
            if records := [record for batch in fetched.values() for record in batch]:
                yield records
    finally:
        await stop_consumer(consumer)


async def _partitions(consumer: AIOKafkaConsumer, name: str) -> Sequence[int]:
    # Metadata of a topic comes only once it was asked for.
    await consumer._client.force_metadata_update()
    consumer._client.add_topic(name)
    await consumer._client.force_metadata_update()
    return sorted(consumer.partitions_for_topic(name) or ())


def _events(records: Sequence[ConsumerRecord]) -> list[CloudEvent]:
    """Those that can be read: what cannot lies in the dead letters already."""
    events = []
    for record in records:
        try:
            event = envelope.from_bytes(record.value)
            _ = event.payload
        except (UnknownEventType, UnreadableEvent):
            continue
        events.append(event)
    return events
