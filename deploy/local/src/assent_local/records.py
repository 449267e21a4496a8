"""What a topic has now."""

import asyncio
from collections.abc import AsyncIterator

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from assent_common.kafka.connection import options
from assent_common.settings import Settings

WITHIN_S = 60


async def of_topic(settings: Settings, topic: str) -> AsyncIterator[ConsumerRecord]:
    """From its beginning to where it ends at the moment; nothing where it is not there. Commits nothing."""
    if not await _is_there(settings, topic):
        return
    # With its name from the start: of other topics aiokafka's consumer knows no partitions.
    reader = AIOKafkaConsumer(topic, **options(settings, "assent-cli"), auto_offset_reset="earliest")
    await reader.start()
    try:
        partitions = [TopicPartition(topic, p) for p in sorted(reader.partitions_for_topic(topic) or ())]
        async with asyncio.timeout(WITHIN_S):
            for partition, end in (await reader.end_offsets(partitions)).items():
                while await reader.position(partition) < end:
                    for records in (await reader.getmany(partition, timeout_ms=500)).values():
                        for record in records:
                            yield record
    finally:
        await reader.stop()


async def _is_there(settings: Settings, topic: str) -> bool:
    """Asked first: to read from a topic can be to make it."""
    reader = AIOKafkaConsumer(**options(settings, "assent-cli"))
    await reader.start()
    try:
        return topic in await reader.topics()
    finally:
        await reader.stop()
