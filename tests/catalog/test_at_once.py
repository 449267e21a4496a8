"""Several processes that hear of the same thing at once, as a consumer whose partitions went to another does."""

import asyncio

from assent_catalog.projection.apply import apply
from assent_common.events.registry import DatasetRole, DatasetUse, Metric

from tests.catalog.world import ENDPOINT, MODEL, URN, World, a_deployment, a_model, a_monitor, a_version, an_event
from tests.support.wait import until

AT_ONCE = 4
WAITING = "select exists (select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database())"


async def test_who_keep_the_same_new_records_at_once_keep_them_once(world: World) -> None:
    for number in range(15):
        data = [DatasetUse(urn=f"s3://data/{number}", role=DatasetRole.TRAINING)]
        batch = [
            an_event(a_model(f"{MODEL}-{number}"), 1),
            an_event(a_version(f"{URN}{number}", datasets=data), 1),
            an_event(a_deployment(f"{ENDPOINT}{number}", monitors=[a_monitor()]), 1),
        ]
        await asyncio.gather(*(world.apply(batch) for _ in range(AT_ONCE)))
    async with world.database.connection() as connection:
        for table in ("models", "model_versions", "deployments", "datasets", "monitors"):
            assert await connection.fetchval(f"select count(*) from {table}") == 15, table
    assert len(await world.told("model_version")) == 15


async def test_what_another_wrote_meanwhile_is_replaced_whole(world: World) -> None:
    """The later state waits for the earlier one, whose metrics and edges it cannot have seen when it began."""
    earlier = an_event(
        a_version(
            training_job="job-1",
            datasets=[DatasetUse(urn="s3://data/1", role=DatasetRole.TEST)],
            metrics={"auc": Metric(value=0.5)},
        ),
        1,
    )
    later = an_event(a_version(training_job="job-2", metrics={"recall": Metric(value=0.7)}), 2)
    async with world.database.transaction() as uow:
        await apply(uow, [earlier])
        beside = asyncio.create_task(world.apply([later]))
        await until(lambda: _waits(world), within_s=20)
    await beside
    async with world.database.connection() as connection:
        metrics = await connection.fetch("select name, value from metrics")
        edges = await connection.fetch("select from_urn, to_urn, relation from lineage_edges")
    assert [tuple(row) for row in metrics] == [("recall", 0.7)]
    assert [tuple(row) for row in edges] == [("job-2", URN, "trained")]
    assert [event.number for event in await world.told("model_version")] == [1, 2]


async def _waits(world: World) -> bool:
    async with world.database.connection() as connection:
        waits: bool = await connection.fetchval(WAITING)
        return waits
