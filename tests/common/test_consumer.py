"""What is told is applied: once in effect, whatever comes, whoever dies in between."""

import asyncio
import secrets
import time
from collections import defaultdict
from collections.abc import Sequence

import orjson
import pytest
from aiokafka import ConsumerRecord
from assent_common import metrics, telemetry
from assent_common.database import Database
from assent_common.events import envelope
from assent_common.events.envelope import CloudEvent
from assent_common.health import Health, State
from assent_common.kafka import dead_letters, topics
from assent_common.kafka.dead_letters import TooManyDeadLetters
from assent_common.settings import Settings
from assent_common.uow import UnitOfWork
from pydantic import SecretStr

from tests.common import world
from tests.common.world import a_consumer, an_event, committed, records_of, rows, running, send, value
from tests.support.plugin import OwnPostgres
from tests.support.wait import until

Pair = tuple[bytes | None, bytes | None]


def good(key: str, sequence: int = 1) -> Pair:
    return key.encode(), envelope.to_bytes(an_event(key, sequence))


def changed(**fields: object) -> bytes:
    return orjson.dumps(orjson.loads(envelope.to_bytes(an_event())) | fields)


POISON = {
    "empty": b"",
    "no JSON": b"{",
    "bad UTF-8": changed(subject="X").replace(b"X", b"\xff\xfe"),
    "U+0000": changed(subject="a\x00b"),
    "a lone surrogate": changed(subject="X").replace(b'"X"', b'"\\ud800"'),
    "nested 5,000 deep": changed(data=1).replace(b'"data":1', b'"data":{"raw":' + b"[" * 5000 + b"]" * 5000 + b"}"),
    "nested 100 deep": changed(data=1).replace(b'"data":1', b'"data":{"raw":' + b"[" * 100 + b"]" * 100 + b"}"),
    "NaN": changed(data=1).replace(b'"data":1', b'"data":{"raw":NaN}'),
    "another type": changed(data=[]),
    "an integer too long": changed(sequence="9" * 40),
    "no id": changed(id=None),
    "a future CloudEvents": changed(specversion="2.0"),
    "a field of the payload of another type": changed(data={"urn": 5, "source": [], "name": {}}),
    "900 kB of it": b"x" * 900_000,
    "more than the topic takes with headers": secrets.token_bytes(1_040_000),
}


async def test_events_are_applied_and_offsets_follow(settings: Settings, store: Database, health: Health) -> None:
    await send(settings, topics.REGISTRY, [good(f"model-{number}", 3) for number in range(1200)])
    async with running(a_consumer(settings, store, health).run):
        await until(lambda: _applied(store, 1200), within_s=30)
        await until(lambda: committed(settings, 1200), within_s=10)
    assert await value(store, "select sum(sequence)::int from applied") == 3600


async def test_it_says_that_it_is_starting_until_it_has_joined(
    settings: Settings, store: Database, health: Health
) -> None:
    consumer = a_consumer(settings, store, health)
    assert [each.state for each in health.components.values()] == [State.STARTING]
    async with running(consumer.run):
        await until(lambda: _state(health) is State.WORKING, within_s=20)


@pytest.mark.parametrize("what", POISON)
async def test_poison_is_put_aside_as_it_came_and_the_rest_goes_on(
    settings: Settings, store: Database, health: Health, what: str
) -> None:
    await send(settings, topics.REGISTRY, [good("before"), (b"\xffkey", POISON[what]), good("after")])
    async with running(a_consumer(settings, store, health).run):
        await until(lambda: _applied(store, 2), within_s=20)
        await until(lambda: committed(settings, 3), within_s=10)
    (letter,) = await _letters(settings)
    assert (letter.key, letter.value) == (b"\xffkey", POISON[what])
    reason = dict(letter.headers)
    assert reason["assent.error.class"] == b"UnreadableEvent"
    assert reason["assent.error.message"]
    assert reason["assent.error.topic"] == topics.REGISTRY.full_name(settings.kafka_topic_prefix).encode()
    assert (reason["assent.error.partition"], reason["assent.error.offset"]) == (b"0", b"1")
    assert reason["assent.error.service_version"] == b"9.9.9"


async def test_an_event_that_the_database_refuses_is_found_in_its_batch(
    settings: Settings, store: Database, health: Health
) -> None:
    await rows(store, "alter table applied add check (key <> 'forbidden')")
    await send(settings, topics.REGISTRY, [good(f"m{n}") for n in range(9)] + [good("forbidden"), good("last")])
    async with running(a_consumer(settings, store, health).run):
        await until(lambda: _applied(store, 10), within_s=20)
        await until(lambda: committed(settings, 11), within_s=10)
    (letter,) = await _letters(settings)
    assert letter.key == b"forbidden"
    assert dict(letter.headers)["assent.error.class"] == b"CheckViolationError"


async def test_a_type_of_the_future_is_skipped_and_counted(settings: Settings, store: Database, health: Health) -> None:
    topic = topics.REGISTRY.full_name(settings.kafka_topic_prefix)
    await send(settings, topics.REGISTRY, [(b"k", changed(type="assent.registry.dream.observed.v1")), good("after")])
    async with running(a_consumer(settings, store, health).run):
        await until(lambda: _applied(store, 1), within_s=20)
        await until(lambda: committed(settings, 2), within_s=10)
    assert metrics.SKIPPED.labels(topic)._value.get() == 1
    assert await _letters(settings) == []


async def test_fields_of_the_future_are_ignored(settings: Settings, store: Database, health: Health) -> None:
    event = orjson.loads(envelope.to_bytes(an_event()))
    event["mood"], event["data"]["mood"] = "fine", {"very": "fine"}
    await send(settings, topics.REGISTRY, [(b"churn", orjson.dumps(event))])
    async with running(a_consumer(settings, store, health).run):
        await until(lambda: _applied(store, 1), within_s=20)


async def test_a_failure_of_the_database_dead_letters_nothing(
    settings: Settings, store: Database, health: Health
) -> None:
    """Every way in which Postgres may fail for a while, in the middle of a batch."""
    failures = [
        "select pg_terminate_backend(pg_backend_pid())",
        "set local statement_timeout = 1; select pg_sleep(1)",
        "do $$ begin raise exception using errcode = 'deadlock_detected'; end $$",
        "do $$ begin raise exception using errcode = 'serialization_failure'; end $$",
        "do $$ begin raise exception using errcode = 'read_only_sql_transaction'; end $$",
        "do $$ begin raise exception using errcode = 'disk_full'; end $$",
        "do $$ begin raise exception using errcode = 'too_many_connections'; end $$",
        "do $$ begin raise exception using errcode = 'lock_not_available'; end $$",
        "do $$ begin raise exception using errcode = 'io_error'; end $$",
    ]
    attempts = iter(failures)

    async def unlucky(uow: UnitOfWork, events: Sequence[CloudEvent]) -> None:
        await world.apply(uow, events)
        if failure := next(attempts, None):
            await (await uow.sql()).execute(failure)

    await send(settings, topics.REGISTRY, [good(f"m{n}") for n in range(20)])
    async with running(a_consumer(settings, store, health, unlucky).run):
        await until(lambda: _applied(store, 20), within_s=40)
        await until(lambda: committed(settings, 20), within_s=10)
    assert next(attempts, None) is None
    assert await _letters(settings) == []


async def test_a_postgres_that_restarts_is_waited_for(
    settings: Settings, own_postgres: OwnPostgres, health: Health
) -> None:
    server = await own_postgres()
    await server.create_database("tests")
    own = settings.model_copy(update={"database_url": SecretStr(server.url("tests"))})
    store = world.a_database(own)
    await world.lay(store)
    await send(own, topics.REGISTRY, [good(f"early-{n}") for n in range(50)])
    async with running(a_consumer(own, store, health).run):
        await until(lambda: _applied(store, 50), within_s=20)
        await server.stop()
        await send(own, topics.REGISTRY, [good(f"late-{n}") for n in range(50)])
        await until(lambda: _state(health) is State.FAILING, within_s=20)
        await server.start()
        await until(lambda: _applied(store, 100), within_s=20)
        await until(lambda: _state(health) is State.WORKING, within_s=20)
    assert await _letters(own) == []
    await store.close()


async def test_stopping_while_the_database_is_away_commits_nothing(
    settings: Settings, own_postgres: OwnPostgres, health: Health
) -> None:
    server = await own_postgres()
    await server.create_database("tests")
    own = settings.model_copy(update={"database_url": SecretStr(server.url("tests"))})
    store = world.a_database(own)
    await world.lay(store)
    async with running(a_consumer(own, store, health).run):
        await until(lambda: _state(health) is State.WORKING, within_s=20)
        await server.stop()
        await send(own, topics.REGISTRY, [good("churn"), (b"poison", b"{")])
        await until(lambda: _state(health) is State.FAILING, within_s=20)
    assert await committed(own, 0)
    assert await _letters(own) == []
    await server.start()
    async with running(a_consumer(own, store, health).run):
        await until(lambda: _applied(store, 1), within_s=30)
    await store.close()


async def test_of_two_members_one_is_killed_and_nothing_is_lost(
    settings: Settings, store: Database, health: Health
) -> None:
    relay = world.a_relay(settings, store)
    member = await world.a_process("consumer_process", settings)
    async with running(relay.run, a_consumer(settings, store, health).run):
        for number in range(100):
            await world.change(store, f"m{number}")
        await until(lambda: _applied(store, 100), within_s=40)
        for number in range(100, 300):
            await world.change(store, f"m{number}")
            if number == 200:
                member.kill()
        await until(lambda: _applied(store, 300), within_s=60)
    await member.wait()
    assert await _letters(settings) == []


async def test_batches_of_different_partitions_are_applied_side_by_side_each_in_order(
    settings: Settings, store: Database, health: Health
) -> None:
    seen: dict[str, list[int]] = defaultdict(list)
    inside = 0
    met = asyncio.Event()

    async def apply(uow: UnitOfWork, events: Sequence[CloudEvent]) -> None:
        nonlocal inside
        inside += 1
        if inside > 1:
            met.set()
        await world.apply(uow, events)
        for event in events:
            seen[event.subject].append(event.number)
        inside -= 1

    async def met_at_last() -> bool:
        """Whatever else the machine does, some fetch brings more than one partition."""
        await send(settings, topics.REGISTRY, [good(f"later-{number}") for number in range(50)], by_key=True)
        return met.is_set()

    told = [good(f"model-{number}", sequence) for sequence in range(1, 6) for number in range(40)]
    await send(settings, topics.REGISTRY, [*told[:100], (b"k", b"{"), *told[100:]], by_key=True)
    async with running(a_consumer(settings, store, health, apply, lanes=3).run):
        await until(
            lambda: sum(key.startswith("model-") and len(of) == 5 for key, of in seen.items()) == 40, within_s=60
        )
        await until(met_at_last, within_s=60)
    assert {tuple(of) for key, of in seen.items() if key.startswith("model-")} == {(1, 2, 3, 4, 5)}
    assert [letter.value for letter in await _letters(settings)] == [b"{"]


async def test_it_stops_when_too_many_in_a_row_cannot_be_applied(
    settings: Settings, store: Database, health: Health
) -> None:
    """Then the fault is likely ours, and emptying the topic into the dead letters would help nobody."""
    await send(settings, topics.REGISTRY, [(b"k", b"{")] * (dead_letters.MAX_CONSECUTIVE + 1))
    with pytest.raises(TooManyDeadLetters):
        async with asyncio.timeout(30):
            await a_consumer(settings, store, health).run(asyncio.Event())
    assert _state(health) is State.STOPPED
    assert len(await _letters(settings)) <= dead_letters.MAX_CONSECUTIVE


async def test_it_stops_within_a_second(settings: Settings, store: Database, health: Health) -> None:
    async with running(a_consumer(settings, store, health).run):
        await until(lambda: _state(health) is State.WORKING, within_s=20)
        began = time.monotonic()
    assert time.monotonic() - began < 1


async def test_what_an_event_leads_to_carries_on_its_cause(settings: Settings, store: Database, health: Health) -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    async def react(uow: UnitOfWork, events: Sequence[CloudEvent]) -> None:
        for event in events:
            with telemetry.caused_by(event):
                uow.emit(topics.REGISTRY, world.OBSERVED, f"after-{event.subject}", 1, world.a_model("x"))
                uow.audit("system", "reacted", event.subject)

    caused = an_event("churn", 1, correlation_id="req-1", traceparent=parent)
    await send(settings, topics.REGISTRY, [(b"churn", envelope.to_bytes(caused)), good("other")])
    async with running(a_consumer(settings, store, health, react).run):
        await until(lambda: _rows(store, "select count(*) from outbox", 2), within_s=20)
    bodies = await rows(store, "select body from outbox order by key")
    first, second = (envelope.from_bytes(row["body"]) for row in bodies)
    assert (first.subject, first.correlationid) == ("after-churn", "req-1")
    assert first.traceparent is not None
    assert first.traceparent.split("-")[1] == parent.split("-")[1]
    assert second.correlationid not in (None, "req-1")
    audited = await rows(store, "select correlation_id from audit order by subject")
    assert audited[0]["correlation_id"] == "req-1"


async def _letters(settings: Settings) -> list[ConsumerRecord]:
    return await records_of(settings, topics.dead_letters_of(world.GROUP).full_name(settings.kafka_topic_prefix))


async def _applied(store: Database, count: int) -> bool:
    return await _rows(store, "select count(*) from applied", count)


async def _rows(store: Database, statement: str, count: int) -> bool:
    return await value(store, statement) == count


def _state(health: Health) -> State:
    (component,) = health.components.values()
    return component.state
