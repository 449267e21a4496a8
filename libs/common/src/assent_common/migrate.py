"""`python -m assent_common.migrate assent_workflow`: bring a service's schema up to date, and end.

For a job before the services start, so that the owner's password is not in their environment. By the same settings.
"""

import asyncio
import sys

from assent_common import service
from assent_common.settings import Settings


async def main(package: str) -> None:
    made = service.runtime(package, Settings())
    try:
        await service.prepare(made, package)
    finally:
        await made.client.aclose()
        await made.database.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
