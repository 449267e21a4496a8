"""A database that is older than what was told from it notices, and goes on above that."""

from collections.abc import AsyncIterator, Sequence

import asyncpg
import pytest
from assent_common.database import Database
from assent_common.events import envelope
from assent_common.events.envelope import CloudEvent
from assent_common.health import Health, State
from assent_common.kafka import topics
from assent_common.kafka.producer import Message, Publisher
from assent_common.outbox.append import GENERATION
from assent_common.restored import Reconcile, Standing, nothing_to_reconcile
from assent_common.settings import Settings
from assent_common.uow import UnitOfWork
from assent_local.postgres import Databases
from pydantic import SecretStr

from tests.common import world
from tests.common.world import by_key, change, rows, running, told, unpublished, value
from tests.support.wait import until

NUMBER = "select value >> 32 from outbox_position"


@pytest.fixture
async def backup(postgres_server: Databases, database: str) -> AsyncIterator[str]:
    """The name of a database that does not exist yet."""
    name = f"{database[:50]}_backup"
    yield name
    await postgres_server.drop_database(name)


async def test_what_a_restored_database_tells_stands_above_what_was_told_since(
    settings: Settings, store: Database, postgres_server: Databases, database: str, backup: str
) -> None:
    await _settled(settings, store)
    async with running(world.a_relay(settings, store).run):
        for key in ("churn", "credit"):
            await change(store, key)
        await until(lambda: _empty(store), within_s=60)
    await _back_up(postgres_server, store, database, backup)
    async with running(world.a_relay(settings, store).run):
        for _ in range(3):
            await change(store, "churn")
        await change(store, "born after the backup")
        await until(lambda: _empty(store), within_s=60)
    before = {key: max(sequences) for key, sequences in by_key(await told(settings)).items()}
    assert before == {"churn": 4, "credit": 1, "born after the backup": 1}

    restored = world.a_database(_of(settings, postgres_server, backup))
    standing = await _settled(settings, restored)
    assert (standing.closed, restored.generation) == (None, 1)
    position = await value(restored, "select value from outbox_position")
    assert position == GENERATION
    async with running(world.a_relay(settings, restored).run):
        await change(restored, "churn")
        await until(lambda: _empty(restored), within_s=60)
    last = {key: sequences[-1] for key, sequences in by_key(await told(settings)).items()}
    assert last == {"churn": GENERATION + 2, "credit": GENERATION + 1, "born after the backup": 1}

    again = await _settled(settings, restored)
    assert (again.closed, await value(restored, NUMBER)) == (None, 1), "once noticed, it is the present one"
    await restored.close()


async def test_what_the_process_before_it_sent_and_arrives_late_is_no_second_restoring(
    settings: Settings, store: Database, postgres_server: Databases, database: str, backup: str
) -> None:
    await _settled(settings, store)
    async with running(world.a_relay(settings, store).run):
        for key in ("churn", "credit", "fraud"):
            await change(store, key)
        await until(lambda: _empty(store), within_s=60)
    await _back_up(postgres_server, store, database, backup)
    async with running(world.a_relay(settings, store).run):
        await change(store, "credit")
        await until(lambda: _empty(store), within_s=60)
    # On their way when the database was lost; the first has come already, and comes again.
    keys = ("credit", "churn", "born after the backup")
    for key in keys[1:]:
        await change(store, key)
    late = [(key.encode(), await _last(store, key)) for key in keys]

    restored = world.a_database(_of(settings, postgres_server, backup))
    await _settled(settings, restored)
    assert await value(restored, NUMBER) == 1
    async with running(world.a_relay(settings, restored).run):
        await change(restored, "credit")
        await until(lambda: _empty(restored), within_s=60)
    publisher = Publisher(settings, "late")
    topic = topics.REGISTRY.full_name(settings.kafka_topic_prefix)
    await publisher.publish([Message(topic, key, body, []) for key, body in late], deadline_s=20)
    await publisher.close()

    heard: list[str] = []

    async def reconcile(uow: UnitOfWork, events: Sequence[CloudEvent]) -> frozenset[str]:
        heard.extend(event.subject for event in events)
        return frozenset()

    for _ in range(2):
        assert (await _settled(settings, restored, reconcile)).closed is None
        assert await value(restored, NUMBER) == 1
    assert sorted(heard) == ["born after the backup", "churn"], "once, and not what was changed after the restoring"
    assert await value(restored, "select count(*) from audit where action = 'database.heard_late'") == 1
    await restored.close()


async def test_to_be_killed_between_publishing_and_marking_is_no_restoring(settings: Settings, store: Database) -> None:
    await _settled(settings, store)
    async with running(world.a_relay(settings, store).run):
        await change(store, "churn")
        await until(lambda: _empty(store), within_s=60)
    await change(store, "churn")
    async with store.connection() as connection:
        body = await connection.fetchval("select body from outbox where published_at is null")
    topic = topics.REGISTRY.full_name(settings.kafka_topic_prefix)
    publisher = Publisher(settings, "killed")
    await publisher.publish(
        [Message(topic, b"churn", body, []), Message(topic, b"churn", b"poison", [])], deadline_s=20
    )
    foreign = envelope.from_bytes(body).model_copy(update={"source": "/assent/another", "sequence": "9"})
    await publisher.publish([Message(topic, b"churn", envelope.to_bytes(foreign), [])], deadline_s=20)
    await publisher.close()
    standing = await _settled(settings, store)
    assert (standing.closed, await value(store, NUMBER)) == (None, 0)


async def test_without_kafka_only_a_database_that_is_where_it_was_is_trusted(
    settings: Settings, store: Database, postgres_server: Databases, database: str, backup: str
) -> None:
    await _settled(settings, store)
    async with running(world.a_relay(settings, store).run):
        await change(store, "churn")
        await until(lambda: _empty(store), within_s=60)
    await _back_up(postgres_server, store, database, backup)
    away = settings.model_copy(update={"kafka_bootstrap_servers": "127.0.0.1:1"})
    health = Health(store.clock)
    standing = _standing(away, store, health)
    store.settled.clear()
    await standing.settle()
    assert standing.closed is None
    assert not store.settled.is_set(), "nothing is published before it is known"
    assert health.components["restored"].state is State.FAILING

    moved = world.a_database(_of(settings, postgres_server, backup))
    standing = _standing(away, moved, Health(store.clock))
    await standing.settle()
    assert standing.closed is not None
    assert (await _settled(settings, moved)).closed is None
    assert await value(moved, NUMBER) == 0, "moved, but nothing was told since"
    await moved.close()


async def _last(store: Database, key: str) -> bytes:
    """The last event of an entity, as it goes out."""
    [row] = await rows(store, "select body from outbox where key = $1 order by id desc limit 1", key)
    body: bytes = row["body"]
    return body


async def _settled(settings: Settings, database: Database, reconcile: Reconcile = nothing_to_reconcile) -> Standing:
    standing = _standing(settings, database, Health(database.clock), reconcile)
    database.settled.clear()
    await standing.settle()
    assert database.settled.is_set()
    return standing


def _standing(
    settings: Settings, database: Database, health: Health, reconcile: Reconcile = nothing_to_reconcile
) -> Standing:
    return Standing(settings, database, health, [topics.REGISTRY], reconcile)


def _of(settings: Settings, server: Databases, name: str) -> Settings:
    return settings.model_copy(update={"database_url": SecretStr(server.url(name))})


async def _back_up(server: Databases, store: Database, name: str, backup: str) -> None:
    """Postgres copies a database that nobody is connected to; who just went takes a moment to be gone."""
    await store.close()
    connection = await asyncpg.connect(server.plain_url("postgres"))

    async def copied() -> bool:
        try:
            await connection.execute(f'create database "{backup}" template "{name}"')
        except asyncpg.ObjectInUseError:
            return False
        return True

    try:
        await until(copied, within_s=60)
    finally:
        await connection.close()


async def _empty(store: Database) -> bool:
    return await unpublished(store) == 0
