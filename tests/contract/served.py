"""A service's app behind a real server, with roles for tokens: `python -m tests.contract.served catalog-api PORT`.

Without its duties: what is asked over HTTP is all that is tried here.
"""

import asyncio
import os
import sys

import uvloop
from assent_common import migrations, service, telemetry
from assent_common.clock import SystemClock
from assent_common.database import Database

from tests.contract import services


async def main(name: str, port: int) -> None:
    telemetry.configure(name, "ERROR")
    database = Database(os.environ["ASSENT_DATABASE_URL"], service=name, clock=SystemClock())
    await migrations.upgrade(database, services.PACKAGES[name])
    app = services.app(name, database, SystemClock())
    service.collect_seldom()
    await service.server(app, host="127.0.0.1", port=port).serve()


if __name__ == "__main__":
    # As the service itself runs.
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(sys.argv[1], int(sys.argv[2])))
