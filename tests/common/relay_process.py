"""A relay in a process of its own, to be killed. Its settings come from the environment."""

import asyncio
import sys

from assent_common.settings import Settings

from tests.common import world


async def main() -> None:
    settings = Settings()
    database = world.a_database(settings)
    await world.a_relay(settings, database).run(asyncio.Event())


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
