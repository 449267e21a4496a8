"""Why a database lets nobody in."""

from assent_common.clock import SystemClock
from assent_common.database import Database


async def refusal(url: str) -> Exception | None:
    """None where it does."""
    database = Database(url, service="tests", clock=SystemClock())
    try:
        await database.ping()
    except Exception as error:  # noqa: BLE001 - whatever it was is what is asked for
        return error
    finally:
        await database.close()
    return None
