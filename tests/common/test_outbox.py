"""What is committed is published: in order per key, nothing lost, whoever dies in between."""

import asyncio
import random
import secrets
import signal
from contextlib import suppress

from assent_common import ids
from assent_common.clock import SystemClock
from assent_common.database import Database
from assent_common.events import envelope
from assent_common.health import Health, State
from assent_common.kafka import topics
from assent_common.outbox import relay as relays
from assent_common.outbox import replay as replays
from assent_common.outbox.replay import replay
from assent_common.settings import Settings

from tests.common import world
from tests.common.world import by_key, change, running, told, unpublished, value, without_repetitions
from tests.support.wait import until

KEYS = [f"arn:model/{number}" for number in range(5)]


async def test_changes_of_many_writers_arrive_in_order_per_key(settings: Settings, store: Database) -> None:
    async def write(random_: random.Random) -> None:
        for _ in range(40):
            await change(store, random_.choice(KEYS))

    async with running(world.a_relay(settings, store).run):
        await asyncio.gather(*(write(random.Random(seed)) for seed in range(6)))
        await until(lambda: _empty(store), within_s=20)

    said = await told(settings)
    assert len(said) == 240
    for key, sequences in by_key(said).items():
        assert sequences == list(range(1, len(sequences) + 1)), key


async def test_what_was_rolled_back_is_never_told(settings: Settings, store: Database) -> None:
    with suppress(world.Undone):
        async with store.transaction() as uow:
            uow.emit(topics.REGISTRY, world.OBSERVED, "ghost", 1, world.a_model("ghost"))
            raise world.Undone
    async with running(world.a_relay(settings, store).run):
        await change(store, "real")
        await until(lambda: _empty(store), within_s=20)
    assert by_key(await told(settings)) == {"real": [1]}


async def test_the_events_say_on_the_wire_exactly_what_was_committed(settings: Settings, store: Database) -> None:
    await change(store, "churn", description="Ökonomie 😀")
    committed = (await world.rows(store, "select body from outbox"))[0]["body"]
    async with running(world.a_relay(settings, store).run):
        await until(lambda: _empty(store), within_s=20)
    (record,) = await world.records_of(settings, topics.REGISTRY.full_name(settings.kafka_topic_prefix))
    assert record.value == committed
    assert record.key == b"churn"
    assert dict(record.headers)["content-type"] == b"application/cloudevents+json"
    assert envelope.from_bytes(record.value).payload == world.a_model("churn", "Ökonomie 😀")


async def test_a_reader_by_position_never_misses_one_while_writers_commit(settings: Settings, store: Database) -> None:
    """Identity values come in another order than commits; positions do not."""
    seen: list[int] = []

    async def read() -> None:
        found = await world.rows(
            store, "select position from outbox where position > $1 order by position", seen[-1] if seen else 0
        )
        seen.extend(row["position"] for row in found)

    async def write(random_: random.Random) -> None:
        for _ in range(20):
            async with store.transaction() as uow:
                key = str(ids.new())
                await (await uow.sql()).execute("select pg_sleep($1)", random_.random() / 50)
                uow.emit(topics.REGISTRY, world.OBSERVED, key, 1, world.a_model(key))

    async def read_all() -> bool:
        await read()
        return len(seen) >= 100

    async with running(world.a_relay(settings, store).run):
        writers = asyncio.gather(*(write(random.Random(seed)) for seed in range(5)))
        await until(read_all, within_s=30)
        await writers
    assert seen == list(range(1, 101))


async def test_nothing_is_lost_when_the_relay_is_killed_while_it_publishes(settings: Settings, store: Database) -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")  # noqa: T201 - so that a failure can be repeated
    random_ = random.Random(seed)
    writing = True

    async def write() -> None:
        while writing:
            await asyncio.gather(*(change(store, key) for key in KEYS))

    writer = asyncio.create_task(write())
    for _ in range(4):
        process = await world.a_process("relay_process", settings)
        before = await value(store, "select count(*) from outbox where published_at is not null")

        async def some_more(seen: int = before) -> bool:
            return await value(store, "select count(*) from outbox where published_at is not null") > seen

        # A dead relay's lease has to run out first.
        await until(some_more, within_s=20)
        await asyncio.sleep(random_.random() / 5)  # the random moment is the point of this test
        process.send_signal(signal.SIGKILL)
        await process.wait()
    writing = False
    await writer

    async with running(world.a_relay(settings, store).run):
        await until(lambda: _empty(store), within_s=30)
    said = by_key(await told(settings))
    written = await value(store, "select sum(sequence)::bigint from entities")
    assert written > 100
    assert set(said) == set(KEYS)
    assert sum(len(without_repetitions(sequences)) for sequences in said.values()) == written
    for key, sequences in said.items():
        assert without_repetitions(sequences) == list(range(1, max(sequences) + 1)), (seed, key)
        assert sequences[-1] == max(sequences), (seed, key)
    positions = await world.rows(store, "select position from outbox order by position")
    assert [row["position"] for row in positions] == list(range(1, written + 1))


async def test_one_relay_publishes_and_the_other_takes_over(settings: Settings, store: Database) -> None:
    first = await world.a_process("relay_process", settings)
    await change(store, "churn")
    await until(lambda: _empty(store), within_s=20)
    async with running(world.a_relay(settings, store).run):
        await change(store, "churn")
        await until(lambda: _empty(store), within_s=20)
        assert await value(store, "select count(distinct holder) from leases where duty = 'outbox-relay'") == 1
        assert await value(store, "select max(fence) from leases where duty = 'outbox-relay'") == 1
        first.kill()
        await first.wait()
        await change(store, "churn")
        await until(lambda: _empty(store), within_s=15)
        assert await value(store, "select min(fence) from leases where duty = 'outbox-relay'") == 2
    assert by_key(await told(settings)) == {"churn": [1, 2, 3]}


async def test_a_relay_that_stops_lets_the_next_one_begin_at_once(settings: Settings, store: Database) -> None:
    async with running(world.a_relay(settings, store).run):
        await change(store, "churn")
        await until(lambda: _empty(store), within_s=20)
    await change(store, "churn")
    async with running(world.a_relay(settings, store).run):
        await until(lambda: _empty(store), within_s=3)


async def test_a_zombie_marks_nothing(settings: Settings, store: Database) -> None:
    """It slept past the end of its lease between sending and marking, and another relay was faster."""
    for key in KEYS:
        await change(store, key)
    zombie, successor = world.a_relay(settings, store), world.a_relay(settings, store)
    async with store.connection() as connection:
        fences = await zombie._lease.claim(connection)
        taken = await connection.fetch(relays.TAKE, list(fences), 500)
        assert len(taken) == len(KEYS)
        await connection.execute("update leases set expires_at = now() - interval '1 second'")
    async with running(successor.run):
        await until(lambda: _empty(store), within_s=20)
        await change(store, "late")
        await until(lambda: _empty(store), within_s=20)
        marked = await world.rows(store, "select id, published_at, position from outbox order by id")
        await zombie._publish(taken, fences, 5)
    assert await world.rows(store, "select id, published_at, position from outbox order by id") == marked
    assert await value(store, "select value from outbox_position") == len(KEYS) + 1
    await zombie._publisher.close()


async def test_a_replay_sends_each_entitys_last_state_once_as_it_was(settings: Settings, store: Database) -> None:
    for _ in range(3):
        for key in KEYS:
            await change(store, key, scope="eu" if key == KEYS[0] else "us")
    async with running(world.a_relay(settings, store).run):
        await until(lambda: _empty(store), within_s=20)
        before = await told(settings)
        positions = await world.rows(store, "select id, position from outbox order by id")
        async with store.connection() as connection:
            assert await replay(connection, topics.REGISTRY.name) == len(KEYS)
        await until(lambda: _empty(store), within_s=20)
        async with store.connection() as connection:
            assert await replay(connection, topics.REGISTRY.name, "eu") == 1
        await until(lambda: _empty(store), within_s=20)
    said = by_key(await told(settings))
    assert len(before) == 15
    assert said == {key: [1, 2, 3, 3] for key in KEYS[1:]} | {KEYS[0]: [1, 2, 3, 3, 3]}
    # They were published before: their positions stay, so that no reader by position sees them twice.
    assert await world.rows(store, "select id, position from outbox order by id") == positions


async def test_a_replay_reckons_with_all_entities_also_where_nothing_was_published_when_postgres_last_counted(
    store: Database,
) -> None:
    async with store.connection() as connection, connection.transaction():
        await connection.execute(
            """
            insert into outbox (topic, key, range, sequence, body)
            select $1, 'arn:model/' || n, 0, 1, '' from generate_series(1, 5000) n
            """,
            topics.REGISTRY.name,
        )
        await connection.execute("analyze outbox")
        await connection.execute("update outbox set published_at = now()")
        explain = f"explain (format json) {replays.REPLAY}"
        [explained] = await connection.fetchval(explain, topics.REGISTRY.name, None)
        [found] = explained["Plan"]["Plans"]
        # Who reckons with one looks through all entities for each.
        assert found["Plan Rows"] > 1000, found
        assert await replay(connection, topics.REGISTRY.name) == 5000


async def test_a_replayed_row_that_a_newer_one_overtook_is_not_sent(settings: Settings, store: Database) -> None:
    async with running(world.a_relay(settings, store).run):
        await change(store, "churn")
        await until(lambda: _empty(store), within_s=20)
    async with store.connection() as connection:
        assert await replay(connection, topics.REGISTRY.name) == 1
    await change(store, "churn")
    async with running(world.a_relay(settings, store).run):
        await until(lambda: _empty(store), within_s=20)
    assert by_key(await told(settings)) == {"churn": [1, 2]}


async def test_what_the_broker_still_has_is_not_sent_again(settings: Settings, store: Database) -> None:
    for key in KEYS:
        await change(store, key)
    for _ in range(2):  # each new relay looks first whether the broker has what it acknowledged
        async with running(world.a_relay(settings, store).run):
            await change(store, "churn")
            await until(lambda: _empty(store), within_s=20)
    assert by_key(await told(settings)) == {key: [1] for key in KEYS} | {"churn": [1, 2]}


async def test_large_events_go_out_too(settings: Settings, store: Database) -> None:
    for number in range(30):
        await change(store, f"large-{number}", description=secrets.token_hex(450_000))
    async with running(world.a_relay(settings, store).run):
        await until(lambda: _empty(store), within_s=40)
    assert len(await told(settings)) == 30


async def test_old_states_are_pruned_and_the_last_one_stays(settings: Settings, store: Database) -> None:
    for _ in range(3):
        for key in KEYS:
            await change(store, key)
    await world.rows(store, "update outbox set published_at = now() - interval '8 days', position = id")
    await change(store, KEYS[0])
    async with running(world.a_relay(settings, store).run):
        await until(lambda: _empty(store), within_s=20)
    left = await world.rows(store, "select key, sequence from outbox order by key, sequence")
    assert [tuple(row) for row in left] == [(KEYS[0], 4), *((key, 3) for key in KEYS[1:])]


async def test_it_says_that_it_is_starting_until_it_has_reached_the_broker(
    settings: Settings, store: Database, health: Health
) -> None:
    relay = world.a_relay(settings, store, health)
    assert [each.state for each in health.components.values()] == [State.STARTING]
    async with running(relay.run):
        await until(lambda: health.components["kafka"].state is State.WORKING, within_s=20)


async def test_without_a_broker_it_says_so_and_seals_the_audit_log_all_the_same(
    settings: Settings, store: Database
) -> None:
    health = Health(SystemClock())
    away = settings.model_copy(update={"kafka_bootstrap_servers": "127.0.0.1:1"})
    async with store.transaction() as uow:
        uow.audit("ada", "tested", "this")
    async with running(world.a_relay(away, store, health).run):
        await until(lambda: health.components["kafka"].state is State.FAILING, within_s=20)
        await until(lambda: _sealed(store), within_s=20)


async def _empty(store: Database) -> bool:
    return await unpublished(store) == 0


async def _sealed(store: Database) -> bool:
    return await value(store, "select count(*) from audit where seq is not null") == 1
