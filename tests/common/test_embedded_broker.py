"""The same relay and the same consumer on the embedded broker, which has no admin API."""

from collections.abc import Iterator

import pytest
from assent_common.database import Database
from assent_common.health import Health, State
from assent_common.kafka import topics
from assent_common.settings import Settings
from assent_local import broker
from pydantic import SecretStr

from tests.common import world
from tests.common.world import change, running, send, value
from tests.support.wait import until


@pytest.fixture
def kafka() -> Iterator[str]:
    with broker.embedded() as embedded:
        yield embedded.bootstrap_servers


@pytest.fixture
def settings(database_url: str, kafka: str) -> Settings:
    return Settings(
        database_url=SecretStr(database_url), kafka_bootstrap_servers=kafka, outbox_max_ahead_bytes=2_000_000
    )


async def test_what_is_told_is_applied_and_poison_put_aside(settings: Settings, store: Database) -> None:
    health = Health(store.clock)

    async def all_applied() -> bool:
        return await value(store, "select count(*) from applied") == 50

    async with running(world.a_relay(settings, store, health).run, world.a_consumer(settings, store, health).run):
        for number in range(50):
            await change(store, f"m{number}")
        await send(settings, topics.REGISTRY, [(b"k", b"{")])
        await until(all_applied, within_s=40)
        await until(lambda: {each.state for each in health.components.values()} == {State.WORKING}, within_s=10)


async def test_an_empty_successor_is_noticed(settings: Settings, store: Database) -> None:
    for number in range(20):
        await change(store, f"m{number}")

    async def all_published() -> bool:
        return await world.unpublished(store) == 0

    async with running(world.a_relay(settings, store).run):
        await until(all_published, within_s=20)
    with broker.embedded() as successor:
        moved = settings.model_copy(update={"kafka_bootstrap_servers": successor.bootstrap_servers})

        async def all_told() -> bool:
            return len(world.by_key(await world.told(moved))) == 20

        async with running(world.a_relay(moved, store).run):
            await until(all_told, within_s=40)
