"""The embedded broker, as far as Assent needs one."""

import asyncio
import os
from collections.abc import Iterator

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from assent_local.broker import Broker, BrokerFailed, embedded

TOPIC = "assent.registry.v1"
PARTITIONS = 24


@pytest.fixture
def broker() -> Iterator[Broker]:
    with embedded() as broker:
        broker.create_topic(TOPIC, PARTITIONS)
        yield broker


async def test_a_group_reads_every_message_once_and_goes_on_where_it_committed(broker: Broker) -> None:
    sent = [b"churn %d" % number for number in range(2_000)]
    await send(broker, sent[:1_500])
    assert sorted(await read(broker, 1_500)) == sorted(sent[:1_500])
    await send(broker, sent[1_500:])
    assert sorted(await read(broker, 500)) == sorted(sent[1_500:])


async def test_a_topic_has_the_partitions_it_was_made_with(broker: Broker) -> None:
    await send(broker, [b"churn"])
    assert len(await committed(broker)) == PARTITIONS
    with pytest.raises(BrokerFailed, match=TOPIC):
        broker.create_topic(TOPIC, PARTITIONS)


async def test_others_can_ask_how_far_a_group_has_read(broker: Broker) -> None:
    await send(broker, [b"churn"] * 100)
    assert sum(await committed(broker)) == -PARTITIONS
    await read(broker, 100)
    assert sum(offset for offset in await committed(broker) if offset > 0) == 100


async def test_it_drops_the_oldest_beyond_five_mebibytes_of_a_partition(broker: Broker) -> None:
    await send(broker, [os.urandom(100_000) for _ in range(80)], partition=0)
    consumer = AIOKafkaConsumer(bootstrap_servers=broker.bootstrap_servers)
    await consumer.start()
    try:
        partition = TopicPartition(TOPIC, 0)
        first = (await consumer.beginning_offsets([partition]))[partition]
        end = (await consumer.end_offsets([partition]))[partition]
    finally:
        await consumer.stop()
    assert end == 80
    assert 25 <= first <= 35


async def send(broker: Broker, values: list[bytes], *, partition: int | None = None) -> None:
    producer = AIOKafkaProducer(
        bootstrap_servers=broker.bootstrap_servers,
        enable_idempotence=True,
        compression_type="zstd",
        max_batch_size=256 * 1024,
        linger_ms=2,
    )
    await producer.start()
    try:
        for start in range(0, len(values), 500):
            batch = values[start : start + 500]
            await asyncio.gather(*[await producer.send(TOPIC, value, os.urandom(8), partition) for value in batch])
    finally:
        await producer.stop()


async def read(broker: Broker, count: int) -> list[bytes]:
    """The next `count` values of the group, committed; fails if there are more."""
    consumer = AIOKafkaConsumer(
        TOPIC,
        bootstrap_servers=broker.bootstrap_servers,
        group_id="catalog",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=2_000,
        heartbeat_interval_ms=500,
    )
    values: list[bytes] = []
    async with asyncio.timeout(10):
        await consumer.start()
        try:
            while len(values) < count:
                fetched = await consumer.getmany(timeout_ms=100)
                values += [record.value for batch in fetched.values() for record in batch]
            await consumer.commit()
        finally:
            await consumer.stop()
    assert len(values) == count
    return values


async def committed(broker: Broker) -> list[int]:
    """The group's offset in each partition, -1 where it has none."""
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)
    await admin.start()
    try:
        (topic,) = await admin.describe_topics([TOPIC])
        partitions = [TopicPartition(TOPIC, each["partition"]) for each in topic["partitions"]]
        offsets = await admin.list_consumer_group_offsets("catalog", partitions=partitions)
        return [offset.offset for offset in offsets.values()]
    finally:
        await admin.close()
