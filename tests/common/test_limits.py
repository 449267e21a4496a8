"""Nothing goes on without end: no statement, no transaction in which nothing happens, no request."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import httpx
import pytest
from assent_common import migrations, service
from assent_common.clock import SystemClock
from assent_common.database import Database, is_transient
from assent_common.health import Health
from assent_common.http import app as http_app
from assent_common.identity.roles import Principal, Reader, Role
from assent_common.outbox.replay import replay
from assent_common.settings import Settings
from fastapi import Request, Response
from fastapi.responses import PlainTextResponse
from pydantic import SecretStr
from starlette.types import Message

from tests.common import world
from tests.support.wait import until

FOR_EVER = "select pg_sleep(600)"
ENDED = "select count(*) from pg_stat_activity where datname = current_database() and query = $1 and state = 'active'"
LIMIT_S = 0.3


@pytest.fixture
def settings(database_url: str) -> Settings:
    """There is no Kafka in this."""
    return Settings(database_url=SecretStr(database_url))


@asynccontextmanager
async def limited(settings: Settings, **limits: int) -> AsyncIterator[Database]:
    url = settings.database_url.get_secret_value()
    database = Database(url, service="tests", clock=SystemClock(), pool_size=2, **limits)
    try:
        yield database
    finally:
        await database.close()


async def test_a_statement_is_ended_and_may_be_tried_again(settings: Settings) -> None:
    async with limited(settings, statement_timeout_s=1) as database:
        async with database.connection() as connection:
            with pytest.raises(asyncpg.QueryCanceledError) as ended:
                await connection.execute(FOR_EVER)
        assert is_transient(ended.value)
        assert await world.value(database, "select 1") == 1


async def test_a_transaction_in_which_nothing_happens_is_ended(settings: Settings, store: Database) -> None:
    async with limited(settings, idle_timeout_s=1) as database:
        with pytest.raises(Exception, match=r"connection is closed|terminat|idle") as ended:  # noqa: PT012
            async with database.transaction() as uow:
                connection = await uow.sql()
                await connection.execute("insert into entities values ('held', 1)")
                await until(connection.is_closed, within_s=30)
                await connection.execute("select 1")
        assert is_transient(ended.value)
        assert await world.value(database, "select count(*) from entities") == 0
        assert await world.change(database, "held") == 1


async def test_a_service_has_both_limits_and_its_migrations_and_replays_have_not(settings: Settings) -> None:
    made = service.runtime("tests", settings.model_copy(update={"log_level": "ERROR"}))
    bare = Settings(**(settings.model_dump() | {"database_statement_timeout_s": 0, "database_idle_timeout_s": 0}))
    without = service.runtime("tests", bare.model_copy(update={"log_level": "ERROR"}))
    try:
        assert await _limits(made.database) == ("5min", "5min")
        assert await _limits(without.database) == ("0", "0")
        await migrations.upgrade(made.database, "tests.common")
        async with made.database.connection() as connection:
            async with connection.transaction():
                await replay(connection, "assent.registry.v1")
                assert await connection.fetchval("show statement_timeout") == "0"
            assert await connection.fetchval("show statement_timeout") == "5min"
    finally:
        for each in (made, without):
            await each.client.aclose()
            await each.database.close()


async def test_a_migration_takes_what_it_takes(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSENT_TESTS_MIGRATION_SLEEPS_S", "1.5")
    async with limited(settings, statement_timeout_s=1) as database:
        await migrations.upgrade(database, "tests.common")
        assert await world.value(database, "select count(*) from outbox") == 0


Work = Callable[[Database], Awaitable[Any]]


async def _in_a_transaction(database: Database) -> None:
    async with database.transaction() as uow:
        await (await uow.sql()).execute("insert into entities values ('slow', 1)")
        await (await uow.sql()).execute(FOR_EVER)


async def _by_reading(database: Database) -> None:
    async with database.reading() as session:
        connection = await (await session.connection()).get_raw_connection()
        assert connection.driver_connection is not None
        await connection.driver_connection.execute(FOR_EVER)


async def _bare(database: Database) -> None:
    async with database.connection() as connection:
        await connection.execute(FOR_EVER)


WAYS: dict[str, Work] = {"transaction": _in_a_transaction, "reading": _by_reading, "connection": _bare}


async def test_a_request_is_broken_off_and_costs_no_connection(settings: Settings, store: Database) -> None:
    async with limited(settings) as database, a_client(database) as client:
        tried = 0
        for _ in range(3):
            for way in WAYS:
                answer = await client.get(f"/v1/slow/{way}")
                assert answer.status_code == 503, answer.text
                assert answer.json()["type"].endswith("/too-slow")
                assert answer.headers["retry-after"]
                tried += 1
        assert tried == 9
        # More than the pool has, of which none is lost, and none still works for nobody.
        async with a_client(database, within_s=60) as patient:
            answers = await asyncio.gather(*(patient.get("/v1/quick") for _ in range(8)))
        assert [each.status_code for each in answers] == [200] * 8
        await until(lambda: _ended(store), within_s=30)
        assert await world.value(store, "select count(*) from entities") == 0


async def test_a_body_that_never_comes_whole_is_not_waited_for(settings: Settings) -> None:
    sent: list[Message] = []
    pieces = iter([b'{"name": "', b"x" * 10])

    async def receive() -> Message:
        if (piece := next(pieces, None)) is None:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": piece or b"", "more_body": True}

    async def send(message: Message) -> None:
        sent.append(message)

    async with limited(settings) as database:
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/v1/echo",
            "raw_path": b"/v1/echo",
            "query_string": b"",
            "headers": [(b"authorization", b"Bearer ada"), (b"content-type", b"application/json")],
        }
        await an_app(database)(scope, receive, send)
    assert [message["status"] for message in sent if message["type"] == "http.response.start"] == [503]


def an_app(database: Database, within_s: float = LIMIT_S) -> Any:
    router = http_app.router()

    @router.get("/slow/{way}")
    async def slow(way: str, _: Reader) -> None:
        await WAYS[way](database)

    @router.get("/quick")
    async def quick(_: Reader) -> None:
        await database.ping()

    @router.post("/echo")
    async def echo(request: Request, _: Reader) -> Response:
        return PlainTextResponse(await request.body())

    async def authenticate(token: str) -> Principal:
        return Principal("tests", token, frozenset({Role.VIEWER}))

    return http_app.build(
        title="Tests",
        version="1",
        description="",
        routers=[router],
        database=database,
        health=Health(database.clock),
        authenticate=authenticate,
        request_within_s=within_s,
    )


@asynccontextmanager
async def a_client(database: Database, within_s: float = LIMIT_S) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(an_app(database, within_s))
    headers = {"Authorization": "Bearer ada"}
    async with httpx.AsyncClient(transport=transport, base_url="http://tests", headers=headers) as client:
        yield client


async def _limits(database: Database) -> tuple[str, str]:
    async with database.connection() as connection:
        names = ("statement_timeout", "idle_in_transaction_session_timeout")
        statement, idle = [await connection.fetchval("select current_setting($1)", name) for name in names]
        return statement, idle


async def _ended(store: Database) -> bool:
    return await world.value(store, ENDED, FOR_EVER) == 0
