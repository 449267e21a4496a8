"""A service with nothing in it but what all services have. Its settings come from the environment."""

import asyncio
import sys

from assent_common import service
from assent_common.http import feed
from assent_common.kafka import topics
from assent_common.settings import Settings


async def main() -> None:
    made = service.runtime("tests", Settings())
    parts = service.Parts("Tests", "", "tests.common", routers=[feed.routes], publishes=[topics.REGISTRY], duties={})
    await service.run(made, parts, port=0)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
