"""What a test starts is gone when the test's process is killed."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE

from tests.support.wait import until

STARTER = """
import subprocess, sys
service = subprocess.Popen([sys.executable, "-m", "tests.workflow.mortal_service"], start_new_session=True)
service.wait()
"""


async def test_a_service_that_is_killed_by_statement_ends_with_who_started_it() -> None:
    starter = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", STARTER),
        env={**os.environ, "ASSENT_DATABASE_URL": "postgresql+asyncpg://nobody@127.0.0.1:1/nothing"},
        stdout=PIPE,
    )
    assert starter.stdout is not None
    port = int(await starter.stdout.readline())
    assert await _listens(port)
    starter.kill()
    await starter.wait()
    await until(lambda: _does_not_listen(port), within_s=60)


async def _does_not_listen(port: int) -> bool:
    return not await _listens(port)


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionRefusedError:
        return False
    writer.close()
    return True
