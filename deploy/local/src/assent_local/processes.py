"""Child processes: started, watched, started again when they die, stopped together."""

import asyncio
import os
import sys
from asyncio.subprocess import Process
from collections.abc import Mapping
from pathlib import Path

STOP_WITHIN_S = 6.0


class Child:
    """One module run as a process of its own. Its output goes to a file."""

    def __init__(self, name: str, module: str, *args: str, environment: Mapping[str, str], log: Path) -> None:
        self.name = name
        self._command = [sys.executable, "-m", "assent_local.leash", module, *args]
        self._environment = {**os.environ, **environment, "PYTHONUNBUFFERED": "1"}
        self._log = log
        self._process: Process | None = None
        self.restarts = 0

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def exited(self) -> bool:
        return self._process is not None and self._process.returncode is not None

    async def start(self) -> None:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                env=self._environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C at the terminal is for the runner, which stops everything in order.
                start_new_session=True,
            )

    async def watch(self, stopping: asyncio.Event) -> None:
        """Start it again whenever it dies, a little later each time in a row, until `stopping`."""
        loop = asyncio.get_running_loop()
        pause_s = 0.2
        while True:
            assert self._process is not None
            started_at = loop.time()
            await self._process.wait()
            if stopping.is_set():
                return
            if loop.time() - started_at > 30:
                pause_s = 0.2
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, 5)
            if stopping.is_set():
                return
            self.restarts += 1
            await self.start()

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL for what is still there six seconds later."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(STOP_WITHIN_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    def last_words(self) -> str:
        return self._log.read_text(errors="replace")[-3000:] if self._log.exists() else ""
