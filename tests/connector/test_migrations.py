"""The connector's schema goes up, down and up again, and is the same."""

from assent_common import migrations
from assent_common.clock import SystemClock
from assent_common.database import Database

COLUMNS = """
select table_name, column_name, data_type, is_nullable from information_schema.columns
 where table_schema = 'public' and table_name <> 'alembic_version' order by 1, 2
"""


async def test_up_down_and_up_again_is_the_same(database_url: str) -> None:
    database = Database(database_url, service="sagemaker-connector", clock=SystemClock())

    async def columns() -> list[tuple[str, ...]]:
        async with database.connection() as connection:
            return [tuple(row) for row in await connection.fetch(COLUMNS)]

    await migrations.upgrade(database, "assent_sagemaker")
    first = await columns()
    assert {"records", "sources", "sync_runs", "candidacies", "write_backs", "outbox"} <= {row[0] for row in first}
    await migrations.upgrade(database, "assent_sagemaker", revision="base")
    assert await columns() == []
    await migrations.upgrade(database, "assent_sagemaker")
    assert await columns() == first
    await database.close()
