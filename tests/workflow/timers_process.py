"""The duty that fires timers, in a process of its own, to be killed. Its database comes from the environment."""

import asyncio
import sys

from assent_common.clock import SystemClock
from assent_common.database import Database
from assent_common.settings import Settings
from assent_workflow.timers.due import Timers


async def main() -> None:
    settings = Settings()
    database = Database(settings.database_url.get_secret_value(), service="workflow", clock=SystemClock())
    await Timers(database).run(asyncio.Event())


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
