"""A service waits for its database, says how it is, and goes when it is told."""

import asyncio
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from assent_common.settings import Settings
from assent_local.ports import free_port
from pydantic import SecretStr

from tests.common import world
from tests.support.plugin import OwnPostgres
from tests.support.wait import until


@asynccontextmanager
async def a_service(settings: Settings, **variables: str) -> AsyncIterator[tuple[Process, httpx.AsyncClient]]:
    port = free_port()
    process = await world.a_process("service_process", settings, log=None, ASSENT_PORT=str(port), **variables)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
        try:
            yield process, client
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def readiness(client: httpx.AsyncClient) -> str | None:
    try:
        return str((await client.get("/health/ready")).json()["status"])
    except httpx.TransportError:
        return None


async def stopped(process: Process) -> None:
    """It is promised within ten seconds; a machine that has other work may take three times as long for them."""
    process.terminate()
    async with asyncio.timeout(30):
        assert await process.wait() == 0


async def test_it_comes_up_lays_its_tables_and_goes(settings: Settings) -> None:
    async with a_service(settings) as (process, client):
        await until(lambda: _is(client, "ready"), within_s=30)
        await stopped(process)


async def test_without_a_broker_it_is_degraded_and_goes_all_the_same(settings: Settings) -> None:
    away = settings.model_copy(update={"kafka_bootstrap_servers": "127.0.0.1:1"})
    async with a_service(away) as (process, client):
        await until(lambda: _is(client, "degraded"), within_s=30)
        assert (await client.get("/health/ready")).status_code == 200
        await stopped(process)


async def test_it_waits_for_its_database_and_goes_while_it_waits(settings: Settings) -> None:
    away = settings.model_copy(update={"database_url": SecretStr("postgresql://nobody@127.0.0.1:1/nothing")})
    process = await world.a_process("service_process", away, log=PIPE)
    assert process.stderr is not None
    async with asyncio.timeout(30):
        while b"waiting_for_database" not in (line := await process.stderr.readline()):
            assert line, "it ended instead of waiting"
    await stopped(process)


async def test_it_outlives_its_database(settings: Settings, own_postgres: OwnPostgres) -> None:
    server = await own_postgres()
    await server.create_database("tests")
    own = settings.model_copy(update={"database_url": SecretStr(server.url("tests"))})
    async with a_service(own) as (process, client):
        await until(lambda: _is(client, "ready"), within_s=30)
        await server.stop()
        await until(lambda: _is(client, "unavailable"), within_s=20)
        await server.start()
        await until(lambda: _is(client, "ready"), within_s=10)
        await stopped(process)


async def _is(client: httpx.AsyncClient, status: str) -> bool:
    return await readiness(client) == status
