"""The connector's schema goes up, down and up again, and is the same."""

from assent_common import migrations
from assent_common.clock import SystemClock
from assent_common.database import Database

from tests.support.migrating import down_and_up_while

COLUMNS = """
select table_name, column_name, data_type, is_nullable from information_schema.columns
 where table_schema = 'public' and table_name <> 'alembic_version' order by 1, 2
"""

WRITE_OF_THE_FIRST = """
insert into records (key, urn, source, kind, hash, document, document_hash, tags, artifacts, reports, reports_attempts,
                     sequence, live, created_at, changed_at)
values ('arn:' || $1::int, 'arn:' || $1::int, 'prod-eu', 'model_version', 'sha256:h', '{}', 'sha256:d', '{}', '[]',
        '{}', 0, 1, true, now(), now())
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


async def test_every_step_goes_down_and_up_while_a_process_of_the_first_schema_writes(database_url: str) -> None:
    database = Database(database_url, service="sagemaker-connector", clock=SystemClock())
    await migrations.upgrade(database, "assent_sagemaker")

    async def write(number: int) -> None:
        async with database.connection() as connection:
            await connection.execute(WRITE_OF_THE_FIRST, number)

    written = await down_and_up_while(database, "assent_sagemaker", write)

    await migrations.upgrade(database, "assent_sagemaker")
    async with database.connection() as connection:
        kept = await connection.fetchval("select count(*) from records where live and source = 'prod-eu'")
    assert kept == written
    await database.close()
