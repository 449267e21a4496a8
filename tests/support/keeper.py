"""Keeps one server for a whole test run: `python -m tests.support.keeper kafka FOLDER PID`.

The first test that needs a server starts its keeper, in whichever xdist worker that test is. The keeper stops the
server when told by SIGTERM, or when the process PID, whose run it is, has ended in whatever way.
"""

import asyncio
import fcntl
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import psutil
from assent_local import broker
from assent_local.ports import free_port
from assent_local.postgres import Postgres

from tests.support import certificates
from tests.support.kafka.server import Kafka, Secured

Server = Literal["postgres", "kafka", "embedded_broker"]
Address = dict[str, str]

REPOSITORY = Path(__file__).parents[2]


class ServerFailed(Exception):
    """A server that tests need did not start."""


def address_of(server: Server, run: Path, controller_pid: int) -> Address:
    """How to reach the run's server, which is started if nobody needed it before. Safe in several processes at once."""
    with (run / f"{server}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _answer(run, server).exists():
            _start(server, run, controller_pid)
        answer: Address = json.loads(_answer(run, server).read_text())
    if "error" in answer:
        raise ServerFailed(answer["error"])
    return answer


def stop_all(run: Path) -> None:
    """Returns when every server of the run is gone."""
    pids = [int(file.read_text()) for file in run.glob("*.pid")]
    for pid in filter(_is_keeper, pids):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + 20
    while any(map(_is_keeper, pids)):
        assert time.monotonic() < deadline, f"servers of the test run did not stop: {pids}"
        time.sleep(0.02)


def _start(server: Server, run: Path, controller_pid: int) -> None:
    with (run / f"{server}.log").open("wb") as log:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "tests.support.keeper", server, str(run), str(controller_pid)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=REPOSITORY,
            start_new_session=True,
        )
    (run / f"{server}.pid").write_text(str(keeper.pid))
    assert keeper.stdout is not None
    with keeper.stdout:
        said = keeper.stdout.readline()
    answer = said or json.dumps({"error": (run / f"{server}.log").read_text()}).encode()
    _answer(run, server).write_bytes(answer)
    # It outlives this process on purpose; without this, Popen would warn about it.
    keeper.returncode = 0


def _answer(run: Path, server: Server) -> Path:
    return run / f"{server}.json"


def _is_keeper(pid: int) -> bool:
    """False for a zombie: where init reaps nobody, it stays for good."""
    try:
        return "tests.support.keeper" in psutil.Process(pid).cmdline()
    except psutil.Error:
        return False


async def _keep(server: str, run: Path, controller: psutil.Process) -> None:
    this = asyncio.current_task()
    assert this is not None
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, this.cancel)
    async with _SERVERS[server](run / server) as address:
        print(json.dumps(address), flush=True)  # noqa: T201 - the one who started us reads it
        while _runs(controller):
            await asyncio.sleep(0.5)
    # Killed without a chance to clean up, so nobody else is left to do it.
    shutil.rmtree(run, ignore_errors=True)


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@asynccontextmanager
async def _postgres(folder: Path) -> AsyncIterator[Address]:
    postgres = Postgres(folder, free_port(), durable=False)
    await postgres.start()
    try:
        yield {"port": str(postgres.port), "password": postgres.password}
    finally:
        await postgres.kill()


@asynccontextmanager
async def _kafka(folder: Path) -> AsyncIterator[Address]:
    folder.mkdir(parents=True)  # noqa: ASYNC240 - nothing else runs here yet
    authority = certificates.authority(folder)
    shown, client = (certificates.of(name, authority, folder) for name in ("localhost", "assent-tests"))
    secured = Secured(shown, authority.file, *(secrets.token_hex(12) for _ in range(2)))
    kafka = Kafka(folder / "kafka", secured=secured)
    await kafka.start()
    try:
        yield {
            "bootstrap_servers": kafka.bootstrap_servers,
            "encrypted": kafka.encrypted,
            "guarded": kafka.guarded,
            "mutual": kafka.mutual,
            "certificate": str(client.certificate),
            "key": str(client.key),
            "authority": str(authority.file),
            "user": secured.user,
            "password": secured.password,
        }
    finally:
        await kafka.kill()


@asynccontextmanager
async def _embedded_broker(folder: Path) -> AsyncIterator[Address]:
    with broker.embedded() as embedded:
        yield {"bootstrap_servers": embedded.bootstrap_servers}


_SERVERS = {"postgres": _postgres, "kafka": _kafka, "embedded_broker": _embedded_broker}


if __name__ == "__main__":
    try:
        asyncio.run(_keep(sys.argv[1], Path(sys.argv[2]), psutil.Process(int(sys.argv[3]))))
    except asyncio.CancelledError:
        pass
    except Exception:
        print(json.dumps({"error": traceback.format_exc()}), flush=True)  # noqa: T201
        raise
