"""A service that dies at will, as a test has it: whoever asks it asks again, and looks into its database beside it."""

import asyncio
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import httpx
from assent_common import migrations
from assent_common.clock import SystemClock
from assent_common.database import Database


@dataclass
class Service:
    """The process, and a look into its database beside it."""

    http: httpx.Client
    connection: asyncpg.Connection
    loop: asyncio.AbstractEventLoop
    #: How often it was killed in the middle of something.
    kills: int = 0
    stories: int = 0
    sequence: int = 0
    seen: Counter[str] = field(default_factory=Counter)

    def fetch(self, statement: str, *values: object) -> list[asyncpg.Record]:
        return self.loop.run_until_complete(self.connection.fetch(statement, *values))

    def ask(self, method: str, path: str, *, headers: dict[str, str], die_after: int | None, **more: Any) -> Any:
        """An answer, whatever it takes. Who asks again after a crash says that it is the same request."""
        dying = headers | ({"die-after": str(die_after)} if die_after else {})
        with suppress(httpx.HTTPError):
            return self.http.request(method, path, headers=dying, **more)
        self.kills += 1
        while True:
            answer = self.http.request(method, path, headers=headers, **more)
            # The database has not noticed yet that who held the key is dead.
            if "still running" not in answer.text:
                return answer


@contextmanager
def a_service(database_url: str, database_plain_url: str) -> Iterator[Service]:
    loop = asyncio.new_event_loop()
    loop.run_until_complete(_migrated(database_url))
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.workflow.mortal_service"],
        env={**os.environ, "ASSENT_DATABASE_URL": database_url},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    with process.stdout:
        port = int(process.stdout.readline())
    connection = loop.run_until_complete(asyncpg.connect(database_plain_url))
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as http:
            yield Service(http, connection, loop)
    finally:
        os.killpg(process.pid, 9)
        process.wait()
        loop.run_until_complete(connection.close())
        loop.close()


async def _migrated(url: str) -> None:
    database = Database(url, service="workflow", clock=SystemClock())
    await migrations.upgrade(database, "assent_workflow")
    await database.close()
