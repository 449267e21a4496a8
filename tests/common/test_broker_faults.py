"""The broker stops, hangs and forgets; the outbox brings everything all the same."""

import asyncio
import time

import psutil
import pytest
from assent_common.database import Database
from assent_common.events import envelope
from assent_common.health import Health, State
from assent_common.kafka import topics
from assent_common.kafka.connection import BrokerUnavailable
from assent_common.kafka.producer import Message, Publisher
from assent_common.settings import Settings
from pydantic import SecretStr

from tests.common import world
from tests.common.world import (
    an_event,
    by_key,
    change,
    committed,
    running,
    send,
    told,
    unpublished,
    value,
    without_repetitions,
)
from tests.support.kafka.server import Kafka
from tests.support.plugin import OwnKafka
from tests.support.wait import until

KEYS = [f"arn:model/{number}" for number in range(5)]


@pytest.fixture
async def broker(own_kafka: OwnKafka) -> Kafka:
    return await own_kafka()


@pytest.fixture
def settings(database_url: str, broker: Kafka, topic_prefix: str) -> Settings:
    return Settings(
        database_url=SecretStr(database_url),
        kafka_bootstrap_servers=broker.bootstrap_servers,
        kafka_topic_prefix=topic_prefix,
        kafka_partitions=3,
    )


async def test_a_broker_that_forgot_everything_is_noticed_and_told_again(
    settings: Settings, store: Database, broker: Kafka
) -> None:
    async with running(world.a_relay(settings, store).run):
        for key in KEYS:
            await change(store, key)
            await change(store, key)
        await until(lambda: _empty(store), within_s=20)
        await broker.kill()
        broker.wipe()
        await broker.start()
        await change(store, KEYS[0])

        async def all_told() -> bool:
            said = by_key(await told(settings))
            return {key: sequences[-1] for key, sequences in said.items()} == {KEYS[0]: 3} | dict.fromkeys(KEYS[1:], 2)

        await until(all_told, within_s=60)


async def test_what_is_written_while_the_broker_is_down_or_frozen_arrives_in_order(
    settings: Settings, store: Database, broker: Kafka
) -> None:
    health = Health(store.clock)
    async with running(world.a_relay(settings, store, health).run):
        await change(store, KEYS[0])
        await until(lambda: _empty(store), within_s=20)

        await broker.stop()
        for key in KEYS:
            await change(store, key)
        await until(lambda: health.components["kafka"].state is State.FAILING, within_s=30)
        for key in KEYS:
            await change(store, key)
        await broker.start()
        await until(lambda: _empty(store), within_s=30)

        broker.pause()
        for key in KEYS:
            await change(store, key)
        await until(lambda: health.components["kafka"].state is State.FAILING, within_s=30)
        for key in KEYS:
            await change(store, key)
        broker.resume()
        await until(lambda: _empty(store), within_s=30)
        await until(lambda: health.components["kafka"].state is State.WORKING, within_s=30)

    said = by_key(await told(settings))
    assert {key: without_repetitions(sequences) for key, sequences in said.items()} == {
        KEYS[0]: [1, 2, 3, 4, 5],
        **{key: [1, 2, 3, 4] for key in KEYS[1:]},
    }
    assert {key: sequences[-1] for key, sequences in said.items()} == {KEYS[0]: 5} | dict.fromkeys(KEYS[1:], 4)


async def test_who_hears_nothing_any_more_says_so_and_begins_anew(
    settings: Settings, store: Database, broker: Kafka
) -> None:
    health = Health(store.clock)
    consumer = world.a_consumer(settings, store, health, hears_within_s=2)

    def state() -> State:
        return next(each.state for name, each in health.components.items() if name.startswith("kafka:"))

    async def applied(number: int) -> bool:
        return await value(store, "select count(*) from applied") == number

    def event(key: str) -> tuple[bytes, bytes]:
        return key.encode(), envelope.to_bytes(an_event(key, 1))

    async with running(consumer.run):
        await send(settings, topics.REGISTRY, [event("model-1")])
        await until(lambda: committed(settings, 1), within_s=30)
        broker.pause()
        await until(lambda: state() is State.FAILING, within_s=30)
        broker.resume()
        await send(settings, topics.REGISTRY, [event("model-2")])
        await until(lambda: applied(2), within_s=60)
        await until(lambda: state() is State.WORKING, within_s=30)


async def test_publishing_ends_by_its_deadline_and_leaves_nothing_behind(settings: Settings, broker: Kafka) -> None:
    publisher = Publisher(settings, "test")
    message = Message(f"{settings.kafka_topic_prefix}models", b"churn", b"{}", [])
    assert len(await publisher.publish([message], deadline_s=20)) == 1
    process = psutil.Process()
    await publisher.close()
    before = asyncio.all_tasks()
    for cycle in range(5):
        broker.pause()
        began = time.monotonic()
        with pytest.raises(BrokerUnavailable):
            await publisher.publish([message] * 50, deadline_s=1)
        with pytest.raises(BrokerUnavailable):
            await publisher.publish([message] * 50, deadline_s=1)
        assert time.monotonic() - began < 6
        broker.resume()
        assert len(await publisher.publish([message] * 50, deadline_s=20)) == 50
        await publisher.close()
        await until(lambda: asyncio.all_tasks() <= before, within_s=5)
        connections = [c for c in process.net_connections() if c.raddr and c.raddr.port == _port(broker)]
        assert connections == [], cycle


def _port(broker: Kafka) -> int:
    return int(broker.bootstrap_servers.rpartition(":")[2])


async def _empty(store: Database) -> bool:
    return await unpublished(store) == 0
