"""One of the duties that send, in a process of its own, to be killed. Its settings come from the environment."""

import asyncio
import ipaddress
import os
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from assent_common.clock import SystemClock
from assent_common.database import Database
from assent_workflow.notifications import duties
from assent_workflow.settings import Settings
from assent_workflow.webhooks.deliver import Deliveries
from assent_workflow.webhooks.sign import Sealer

KEY = "ab" * 32
LOOPBACK = [ipaddress.ip_network("127.0.0.0/8")]


@asynccontextmanager
async def a_process(duty: str, database_url: str, settings: Mapping[str, str] = {}) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.workflow.outgoing_process", duty),
        env={**os.environ, "ASSENT_DATABASE_URL": database_url, **settings},
        stdout=DEVNULL,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def main(duty: str) -> None:
    settings = Settings()
    database = Database(settings.database_url.get_secret_value(), service="workflow", clock=SystemClock())
    sending = Deliveries(database, Sealer(KEY), LOOPBACK) if duty == "webhooks" else duties.mails(database, settings)
    await sending.run(asyncio.Event())


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1])))
