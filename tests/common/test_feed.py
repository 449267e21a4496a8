"""Following a service's events over HTTP: in order, from any position, and no hindrance to the end of the service."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import httpx
import pytest
from assent_client import Catalog, Connection, Refused
from assent_common.database import Database
from assent_common.kafka import topics
from assent_common.outbox import feed as feed_module
from assent_common.outbox.feed import Feed, Told
from assent_common.outbox.relay import MARK
from assent_common.settings import Settings

from tests.common import world
from tests.common.test_service_life import a_service, stopped
from tests.support.wait import until

TOKEN = "feed-tests"
AUTHORISED = {"Authorization": f"Bearer {TOKEN}"}


async def tell(database: Database, *keys: str, sequence: int = 1) -> None:
    for key in keys:
        async with database.transaction() as uow:
            uow.emit(topics.REGISTRY, world.OBSERVED, key, sequence, world.a_model(key))


async def publish(database: Database) -> None:
    """As the relay does it, without a broker."""
    async with database.connection() as connection, connection.transaction():
        rows = await connection.fetch("select id from outbox where published_at is null order by id")
        await connection.execute(MARK, [row["id"] for row in rows])


class Events:
    """What a client of server-sent events makes of a stream."""

    def __init__(self, lines: AsyncIterator[str]) -> None:
        self._lines = lines
        self.last_event_id = ""

    async def next(self) -> dict[str, Any]:
        data: list[str] = []
        async for line in self._lines:
            field, _, value = line.partition(": ")
            match field:
                case "id":
                    self.last_event_id = value
                case "data":
                    data.append(value)
                case "" if data:
                    event: dict[str, Any] = json.loads("\n".join(data))
                    return event
        raise EOFError

    async def subjects(self, count: int) -> list[str]:
        return [(await self.next())["subject"] for _ in range(count)]


@asynccontextmanager
async def following(client: httpx.AsyncClient, **headers: str) -> AsyncIterator[Events]:
    async with client.stream("GET", "/v1/events", headers=AUTHORISED | headers, timeout=20) as answer:
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield Events(answer.aiter_lines())


@pytest.fixture
def known(settings: Settings) -> Settings:
    return settings.model_copy(update={"service_tokens": {"tests": hashlib.sha256(TOKEN.encode()).hexdigest()}})


async def test_who_follows_hears_each_change_once_and_goes_on_where_he_stopped(known: Settings) -> None:
    database = world.a_database(known)
    async with a_service(known) as (process, client):
        await until(lambda: _answers(client), within_s=30)
        async with following(client) as events:
            await tell(database, "churn", "credit")
            assert await events.subjects(2) == ["churn", "credit"]
            here = events.last_event_id
        await tell(database, "fraud", "pricing")
        async with following(client, **{"Last-Event-ID": here}) as events:
            assert await events.subjects(2) == ["fraud", "pricing"]
        everything = await client.get("/v1/events", headers=AUTHORISED | {"Last-Event-ID": "99"})
        assert (everything.status_code, everything.json()["type"].rpartition("/")[2]) == (410, "cursor-expired")
        assert (await client.get("/v1/events")).status_code == 401

        async with following(client) as events:
            going = asyncio.create_task(stopped(process))
            with pytest.raises(EOFError):
                await events.next()
            await going
    await database.close()


async def test_the_client_follows_too_and_is_told_when_it_was_away_for_too_long(known: Settings) -> None:
    database = world.a_database(known)
    async with a_service(known) as (_, client):
        await until(lambda: _answers(client), within_s=30)
        catalog = Catalog(Connection(client, str(client.base_url), token=TOKEN))
        await tell(database, "churn", "credit")
        changes = catalog.follow_events(after=0)
        first, second = await anext(changes), await anext(changes)
        assert [change.event["subject"] for change in (first, second)] == ["churn", "credit"]
        on = catalog.follow_events(last_event_id=first.position)
        assert await anext(on) == second
        with pytest.raises(Refused) as refused:
            await anext(catalog.follow_events(last_event_id=99))
        assert (refused.value.status, refused.value.type) == (410, "cursor-expired")
    await database.close()


async def _answers(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/health/ready")).status_code == 200
    except httpx.TransportError:
        return False


async def test_what_is_pruned_or_was_restored_away_is_said_not_skipped(store: Database) -> None:
    feed = Feed(store)
    await tell(store, "churn", "credit")
    await publish(store)
    assert [await feed.has_lost(position) for position in (0, 1, 2, 3)] == [False, False, False, True]
    async with store.connection() as connection:
        await connection.execute("update outbox set published_at = now() - interval '8 days' where position = 1")
    assert await feed.has_lost(1)
    assert not await feed.has_lost(0)


async def test_a_quiet_stream_shows_that_it_lives_and_where_it_is(store: Database) -> None:
    feed, stopping = Feed(store), asyncio.Event()
    await tell(store, "churn")
    await publish(store)
    stream = feed.follow(None, stopping, for_s=60, heartbeat_s=0)
    assert [await anext(stream) for _ in range(3)] == [Told(1, None)] * 3
    await tell(store, "credit")
    await publish(store)
    async with asyncio.timeout(10):
        while (told := await anext(stream)).body is None:
            continue
    assert told.position == 2
    stopping.set()
    assert [told async for told in stream if told.body] == []
    assert feed.followers == 0


async def test_what_is_new_is_read_once_however_many_follow(store: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    feed, stopping = Feed(store), asyncio.Event()
    read, reads = feed_module._read, 0

    async def counted(connection: asyncpg.Connection, after: int) -> list[Told]:
        nonlocal reads
        reads += 1
        return await read(connection, after)

    monkeypatch.setattr(feed_module, "_read", counted)
    streams = [feed.follow(None, stopping, for_s=60, heartbeat_s=60) for _ in range(50)]
    assert [await anext(stream) for stream in streams] == [Told(0, None)] * 50
    nexts = [asyncio.ensure_future(anext(stream)) for stream in streams]
    await tell(store, "churn")
    await publish(store)
    heard = await asyncio.wait_for(asyncio.gather(*nexts), 30)
    assert {told.position for told in heard} == {1}
    assert {told.type for told in heard} == {world.OBSERVED}
    assert (len(heard), reads) == (50, 1)
    stopping.set()
    for stream in streams:
        assert [told async for told in stream] == []


async def test_who_is_further_behind_than_what_is_kept_misses_nothing(
    store: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "MOST_KEPT", 3)
    monkeypatch.setattr(feed_module, "AT_ONCE", 2)
    feed, stopping = Feed(store), asyncio.Event()
    slow, quick = [feed.follow(None, stopping, for_s=60, heartbeat_s=60) for _ in range(2)]
    assert [await anext(stream) for stream in (slow, quick)] == [Told(0, None)] * 2
    for first in range(0, 8, 2):
        await tell(store, f"model-{first}", f"model-{first + 1}")
        await publish(store)
        assert [(await anext(quick)).position for _ in range(2)] == [first + 1, first + 2]
    assert [(await anext(slow)).position for _ in range(8)] == list(range(1, 9))
    late = feed.follow(2, stopping, for_s=60, heartbeat_s=60)
    assert [(await anext(late)).position for _ in range(7)] == list(range(2, 9))
    stopping.set()
    for stream in (slow, quick, late):
        assert [told async for told in stream] == []
    assert feed.followers == 0
