"""No server outlives its test run."""

import asyncio
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support import keeper
from tests.support.wait import until


@pytest.fixture
async def controller() -> AsyncIterator[Process]:
    """The process whose test run it is."""
    process = await asyncio.create_subprocess_exec("sleep", "60")
    yield process
    if process.returncode is None:
        process.kill()
    await process.wait()


async def test_all_workers_get_the_same_server(tmp_path: Path, controller: Process) -> None:
    asked = [asyncio.to_thread(keeper.address_of, "postgres", tmp_path, controller.pid) for _ in range(3)]
    first, second, third = await asyncio.gather(*asked)
    assert first == second == third
    keeper.stop_all(tmp_path)
    assert await connects_to(first["port"]) is False


async def test_a_server_goes_with_the_run_that_is_killed(tmp_path: Path, controller: Process) -> None:
    run = tmp_path / "run"
    run.mkdir()
    address = await asyncio.to_thread(keeper.address_of, "postgres", run, controller.pid)
    assert await connects_to(address["port"])
    controller.kill()
    await controller.wait()
    await until(lambda: not run.exists(), within_s=10)
    assert await connects_to(address["port"]) is False


async def test_a_server_that_cannot_start_says_why_to_each_who_asks(tmp_path: Path, controller: Process) -> None:
    (tmp_path / "postgres").write_text("in the way of the server's folder")
    for _ in range(2):
        with pytest.raises(keeper.ServerFailed, match="FileExistsError"):
            await asyncio.to_thread(keeper.address_of, "postgres", tmp_path, controller.pid)


async def connects_to(port: str) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", int(port))
    except ConnectionRefusedError:
        return False
    writer.close()
    await writer.wait_closed()
    return True
