"""The tests' own Apache Kafka, through what the fault tests will do to it."""

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from tests.support.plugin import OwnKafka


async def test_the_shared_one_makes_topics_of_several_partitions(kafka: str, topic_prefix: str) -> None:
    await send(kafka, f"{topic_prefix}models", b"churn")
    assert len(await partitions_of(kafka, f"{topic_prefix}models")) > 1
    assert await read(kafka, f"{topic_prefix}models") == [b"churn"]


async def test_a_restart_keeps_what_was_sent_and_a_wipe_does_not(own_kafka: OwnKafka) -> None:
    kafka = await own_kafka()
    cluster = await cluster_id_of(kafka.bootstrap_servers)
    await send(kafka.bootstrap_servers, "models", b"churn")

    await kafka.kill()
    await kafka.start()
    assert await read(kafka.bootstrap_servers, "models") == [b"churn"]
    assert await cluster_id_of(kafka.bootstrap_servers) == cluster

    await kafka.stop()
    kafka.wipe()
    await kafka.start()
    assert await topics_of(kafka.bootstrap_servers) == []
    assert await cluster_id_of(kafka.bootstrap_servers) != cluster


async def test_a_frozen_broker_answers_nobody_until_it_is_woken(own_kafka: OwnKafka) -> None:
    kafka = await own_kafka()
    await send(kafka.bootstrap_servers, "models", b"before")

    kafka.pause()
    with pytest.raises((KafkaError, TimeoutError)):
        await send(kafka.bootstrap_servers, "models", b"during", within_s=1)
    kafka.resume()

    await send(kafka.bootstrap_servers, "models", b"after")
    assert {b"before", b"after"} <= set(await read(kafka.bootstrap_servers, "models"))


async def send(bootstrap_servers: str, topic: str, value: bytes, *, within_s: float = 20) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap_servers, request_timeout_ms=1_000)
    try:
        async with asyncio.timeout(within_s):
            await producer.start()
            await producer.send_and_wait(topic, value)
    finally:
        await producer.stop()


async def read(bootstrap_servers: str, topic: str) -> list[bytes]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers)
    await consumer.start()
    try:
        partitions = [TopicPartition(topic, number) for number in await partitions_of(bootstrap_servers, topic)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning()
        wanted = sum((await consumer.end_offsets(partitions)).values())
        values: list[bytes] = []
        async with asyncio.timeout(20):
            while len(values) < wanted:
                fetched = await consumer.getmany(timeout_ms=100)
                values += [record.value for batch in fetched.values() for record in batch]
        return values
    finally:
        await consumer.stop()


async def partitions_of(bootstrap_servers: str, topic: str) -> set[int]:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap_servers)
    await producer.start()
    try:
        return set(await producer.partitions_for(topic))
    finally:
        await producer.stop()


async def topics_of(bootstrap_servers: str) -> list[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        return [*await admin.list_topics()]
    finally:
        await admin.close()


async def cluster_id_of(bootstrap_servers: str) -> str:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        return str((await admin.describe_cluster())["cluster_id"])
    finally:
        await admin.close()
