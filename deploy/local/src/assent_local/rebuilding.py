"""`assent catalog rebuild`: the catalogue's records made anew from the topics."""

from assent_catalog.rebuild import rebuild
from assent_common.clock import SystemClock
from assent_common.database import Database
from assent_common.settings import Settings
from pydantic import SecretStr
from rich.console import Console


async def catalog(out: Console, database_url: str, kafka: str, *, prefix: str) -> None:
    settings = Settings(database_url=SecretStr(database_url), kafka_bootstrap_servers=kafka, kafka_topic_prefix=prefix)
    database = Database(settings.database_url.get_secret_value(), service="catalog-api", clock=SystemClock())
    try:
        rebuilt = await rebuild(settings, database)
    finally:
        await database.close()
    out.print(f"{rebuilt.applied} records made anew; {rebuilt.untold} that no event tells of are as they were")
