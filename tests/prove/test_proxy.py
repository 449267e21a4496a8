"""The fault proxy does what it is told, to the message that was meant, and to no other."""

import asyncio
import contextlib

import asyncpg
import httpx
import pytest
from assent_common.database import Database
from assent_common.kafka.connection import BrokerUnavailable
from assent_common.kafka.producer import Message, Publisher
from assent_common.settings import Settings
from assent_local.ports import free_port
from assent_local.postgres import Databases
from pydantic import SecretStr

from tests.common import world
from tests.common.world import by_key, change, running, told, unpublished
from tests.prove import proxy, wire
from tests.prove.proxy import Act
from tests.support.plugin import OwnKafka
from tests.support.wait import until

CREATE = "create table if not exists kept (what text)"


async def test_the_reply_to_a_commit_is_lost_and_what_was_committed_stands(
    postgres_server: Databases, database: str
) -> None:
    async with proxy.between(("127.0.0.1", postgres_server.port), wire.Postgres) as between:
        rule = between.rule(lambda f: proxy.of("commit")(f) and _wrote(f.wire), Act.DROP)
        direct = await asyncpg.connect(postgres_server.plain_url(database))
        await direct.execute(CREATE)
        connection = await asyncpg.connect(_through(postgres_server, between, database))
        async with connection.transaction():
            assert await connection.fetchval("select count(*) from kept") == 0
        assert rule.happened == 0, "it wrote nothing, so it was not meant"
        with pytest.raises((asyncpg.PostgresConnectionError, OSError)):
            async with connection.transaction():
                await connection.execute("insert into kept values ($1)", "this")
        assert rule.happened == 1
        assert await direct.fetchval("select what from kept") == "this"
        await direct.close()


async def test_half_a_statement_changes_nothing(postgres_server: Databases, database: str) -> None:
    async with proxy.between(("127.0.0.1", postgres_server.port), wire.Postgres) as between:
        direct = await asyncpg.connect(postgres_server.plain_url(database))
        await direct.execute(CREATE)
        connection = await asyncpg.connect(_through(postgres_server, between, database))
        rule = between.rule(proxy.of("insert into kept values ('half')", "server"), Act.CUT)
        with pytest.raises((asyncpg.PostgresConnectionError, OSError)):
            await connection.execute("insert into kept values ('half')")
        assert rule.happened == 1
        assert await direct.fetchval("select count(*) from kept") == 0
        await direct.close()


async def test_a_black_hole_answers_nobody_and_gives_back_what_it_took(
    postgres_server: Databases, database: str
) -> None:
    async with proxy.between(("127.0.0.1", postgres_server.port), wire.Postgres) as between:
        connection = await asyncpg.connect(_through(postgres_server, between, database))
        between.black_hole()
        asked = asyncio.create_task(connection.fetchval("select 1"))
        with pytest.raises(TimeoutError):
            await asyncpg.connect(_through(postgres_server, between, database), timeout=0.2)
        assert not asked.done()
        await between.heal()
        assert await asked == 1
        await connection.close()


async def test_refused_is_refused_until_it_heals(postgres_server: Databases, database: str) -> None:
    async with proxy.between(("127.0.0.1", postgres_server.port), wire.Postgres) as between:
        connection = await asyncpg.connect(_through(postgres_server, between, database))
        await between.refuse()
        with pytest.raises((asyncpg.PostgresConnectionError, asyncpg.InterfaceError, OSError)):
            await connection.fetchval("select 1")
        with pytest.raises(ConnectionRefusedError):
            await asyncpg.connect(_through(postgres_server, between, database))
        await between.heal()
        again = await asyncpg.connect(_through(postgres_server, between, database))
        assert await again.fetchval("select 1") == 1
        await again.close()


async def test_somebody_is_killed_as_the_kth_message_passes(postgres_server: Databases, database: str) -> None:
    killed: list[int] = []
    async with proxy.between(("127.0.0.1", postgres_server.port), wire.Postgres) as between:
        connection = await asyncpg.connect(_through(postgres_server, between, database))
        rule = between.rule(
            lambda frame: frame.name.startswith("select"),
            Act.PASS,
            nth=3,
            then=lambda: killed.append(between.passed["select 2 → server"]),
        )
        for number in range(5):
            assert await connection.fetchval(f"select {number}", timeout=10) == number
        assert (rule.happened, killed) == (1, [1])
        await connection.close()


@pytest.mark.parametrize(
    "how", ["content-length: 5\r\n\r\nhello", "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"]
)
async def test_http_is_spoiled_by_what_is_asked(how: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(f"HTTP/1.1 200 OK\r\n{how}".encode())
                await writer.drain()
        writer.close()

    port = free_port()
    async with (
        await asyncio.start_server(answer, "127.0.0.1", port),
        proxy.between(("127.0.0.1", port), wire.Http) as between,
        httpx.AsyncClient(base_url=f"http://{between.address}") as client,
    ):
        assert (await client.get("/models")).text == "hello"
        between.rule(proxy.of("SageMaker.Search"), Act.CUT)
        with pytest.raises(httpx.TransportError):
            await client.post("/", headers={"x-amz-target": "SageMaker.Search"})
        between.rule(proxy.of("GET /models"), Act.DROP, nth=2)
        assert (await client.get("/models")).text == "hello"
        with pytest.raises(httpx.TransportError):
            await client.get("/models")
        assert (await client.post("/", headers={"x-amz-target": "SageMaker.Search"})).text == "hello"


async def test_the_reply_to_produce_is_lost_and_each_event_has_one_position_all_the_same(
    database_url: str, own_kafka: OwnKafka, topic_prefix: str
) -> None:
    port = free_port()
    broker = await own_kafka(port)
    settings = Settings(
        database_url=SecretStr(database_url),
        kafka_bootstrap_servers=f"127.0.0.1:{port}",
        kafka_topic_prefix=topic_prefix,
        kafka_partitions=3,
    )
    store = world.a_database(settings)
    await world.lay(store)
    async with proxy.between(("127.0.0.1", broker.proxied_port), wire.Kafka, port) as between:
        publisher = Publisher(settings, "test")
        stall = between.rule(proxy.of("Produce"), Act.STALL)
        message = Message(f"{topic_prefix}other", b"churn", b"{}", [])
        with pytest.raises(BrokerUnavailable):
            await publisher.publish([message], deadline_s=5)
        assert stall.happened == 1
        await between.heal()
        await publisher.publish([message], deadline_s=20)
        await publisher.close()

        lost = between.rule(proxy.of("Produce"), Act.DROP, times=2)
        stuck = between.rule(proxy.of("Produce"), Act.STALL)
        async with running(world.a_relay(settings, store).run):
            for _ in range(4):
                for key in ("churn", "credit", "fraud"):
                    await change(store, key)
            await until(lambda: _nothing_waits(store), within_s=60)
        assert (lost.happened, stuck.happened) == (2, 1)
        said = by_key(await told(settings))
    assert {key: max(sequences) for key, sequences in said.items()} == dict.fromkeys(("churn", "credit", "fraud"), 4)
    assert sum(map(len, said.values())) >= 12
    async with store.connection() as connection:
        positions = [row["position"] for row in await connection.fetch("select position from outbox order by position")]
    assert positions == list(range(1, 13)), "told twice on the topic, perhaps; but one event has one position"
    await store.close()


async def _nothing_waits(store: Database) -> bool:
    return await unpublished(store) == 0


def _wrote(spoken: wire.Wire) -> bool:
    assert isinstance(spoken, wire.Postgres)
    return any(statement.startswith("insert") for statement in spoken.transaction)


def _through(server: Databases, between: proxy.Proxy, database: str) -> str:
    return server.plain_url(database).replace(f":{server.port}/", f":{between.port}/")
