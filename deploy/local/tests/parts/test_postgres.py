"""The embedded Postgres, through everything that one machine does to it."""

import asyncio
import sys
from pathlib import Path

import asyncpg
import psutil
import pytest
from assent_local.ports import free_port
from assent_local.postgres import PostgresFailed, StateInUse, embedded

from tests.support.wait import until

STARTER = """
import asyncio, sys
from pathlib import Path
from assent_local.postgres import embedded

async def main():
    async with embedded(Path(sys.argv[1])) as postgres:
        await postgres.create_database("catalog")
        print(postgres.plain_url("catalog"), flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_what_was_committed_is_there_after_a_restart(tmp_path: Path) -> None:
    async with embedded(tmp_path) as postgres:
        await postgres.create_database("catalog")
        await execute(postgres.plain_url("catalog"), "create table models as select 'churn' as name")

    async with embedded(tmp_path) as postgres:
        await postgres.create_database("catalog")
        assert await fetch(postgres.plain_url("catalog"), "select name from models") == ["churn"]


async def test_it_keeps_its_address_when_it_is_stopped_and_started(tmp_path: Path) -> None:
    async with embedded(tmp_path) as postgres:
        url = postgres.plain_url("postgres")
        await postgres.stop()
        with pytest.raises(ConnectionRefusedError):
            await fetch(url, "select 1")
        await postgres.start()
        assert await fetch(url, "select 1") == [1]
        await postgres.kill()
        await postgres.start()
        assert await fetch(url, "select 1") == [1]


async def test_it_stops_in_time_though_somebody_is_connected(tmp_path: Path) -> None:
    async with embedded(tmp_path) as postgres:
        connection = await asyncpg.connect(postgres.plain_url("postgres"))
        asleep = asyncio.create_task(connection.execute("select pg_sleep(60)"))
        await until(lambda: is_asleep(postgres.plain_url("postgres")), within_s=5)
        async with asyncio.timeout(5):
            await postgres.stop()
        with pytest.raises((asyncpg.PostgresError, ConnectionError)):
            await asleep


async def test_nobody_enters_without_the_password(tmp_path: Path) -> None:
    async with embedded(tmp_path) as postgres:
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(host="127.0.0.1", port=postgres.port, user="assent", password="", database="postgres")
        assert (tmp_path / "password").stat().st_mode & 0o077 == 0


async def test_a_server_orphaned_by_kill_9_is_replaced_and_its_data_kept(tmp_path: Path) -> None:
    starter = await asyncio.create_subprocess_exec(
        sys.executable, "-c", STARTER, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert starter.stdout is not None
    async with asyncio.timeout(20):
        url = (await starter.stdout.readline()).decode().strip()
    await execute(url, "create table models as select 'churn' as name")
    orphan = psutil.Process(int((tmp_path / "data" / "postmaster.pid").read_text().split("\n")[0]))
    starter.kill()
    await starter.wait()
    assert is_alive(orphan)

    async with embedded(tmp_path) as postgres:
        assert not is_alive(orphan)
        assert await fetch(postgres.plain_url("catalog"), "select name from models") == ["churn"]


async def test_a_pid_file_that_names_a_stranger_harms_nobody(tmp_path: Path) -> None:
    pid_file = tmp_path / "data" / "postmaster.pid"
    async with embedded(tmp_path):
        noted = pid_file.read_text()
    stranger = await asyncio.create_subprocess_exec("sleep", "60")
    try:
        pid_file.write_text("\n".join([str(stranger.pid), *noted.split("\n")[1:]]))
        async with embedded(tmp_path) as postgres:
            assert await fetch(postgres.plain_url("postgres"), "select 1") == [1]
        assert stranger.returncode is None
    finally:
        stranger.kill()
        await stranger.wait()


async def test_a_second_starter_of_the_same_state_is_refused(tmp_path: Path) -> None:
    async with embedded(tmp_path) as postgres:
        with pytest.raises(StateInUse):
            async with embedded(tmp_path):
                pass
        assert await fetch(postgres.plain_url("postgres"), "select 1") == [1]


async def test_an_initialisation_cut_short_is_done_over(tmp_path: Path) -> None:
    (tmp_path / "data.unfinished" / "base").mkdir(parents=True)
    async with embedded(tmp_path) as postgres:
        assert await fetch(postgres.plain_url("postgres"), "select 1") == [1]


async def test_a_taken_port_is_an_error_that_says_so(tmp_path: Path) -> None:
    port = free_port()
    taken = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", port)
    async with taken:
        with pytest.raises(PostgresFailed, match="Address already in use"):
            async with embedded(tmp_path, port):
                pass


def is_alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


async def is_asleep(url: str) -> bool:
    return await fetch(url, "select count(*) from pg_stat_activity where wait_event = 'PgSleep'") == [1]


async def execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(statement)
    await connection.close()


async def fetch(url: str, query: str) -> list[object]:
    connection = await asyncpg.connect(url)
    try:
        return [row[0] for row in await connection.fetch(query)]
    finally:
        await connection.close()
