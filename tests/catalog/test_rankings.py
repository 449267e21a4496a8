"""Versions by what was measured of them."""

from typing import Any

from assent_common.events.registry import Better, Metric, MetricKind, MetricsStatus, Report

from tests.catalog.world import URN, World, a_version, gone

REPORT = "s3://reports/churn.json"


def measured(number: int, **metrics: float | Metric) -> Any:
    given = {name: of if isinstance(of, Metric) else Metric(value=of) for name, of in metrics.items()}
    return a_version(f"{URN[:-1]}{number}", version=number, metrics=given)


async def ranked(world: World, **asked: Any) -> list[tuple[int, float]]:
    items = await world.everything("/v1/rankings", **asked)
    return [(item["version"]["version"], item["value"]) for item in items]


async def test_the_better_ones_come_first_page_by_page(world: World) -> None:
    await world.hears(
        *(
            measured(n, auc=Metric(value=n / 10, better=Better.HIGHER), rmse=Metric(value=n, better=Better.LOWER))
            for n in range(1, 6)
        )
    )
    await world.hears(measured(6, accuracy=0.99))
    assert await ranked(world, by="auc", limit=2) == [(5, 0.5), (4, 0.4), (3, 0.3), (2, 0.2), (1, 0.1)]
    assert await ranked(world, by="rmse", limit=2) == [(1, 1.0), (2, 2.0), (3, 3.0), (4, 4.0), (5, 5.0)]
    assert await ranked(world, by="auc", order="lowest", metric="rmse>3") == [(4, 0.4), (5, 0.5)]
    assert await ranked(world, by="lift", order="highest") == []


async def test_ties_are_listed_once_each(world: World) -> None:
    await world.hears(*(measured(n, auc=Metric(value=0.5, better=Better.HIGHER)) for n in range(1, 8)))
    assert sorted(await ranked(world, by="auc", limit=2)) == [(n, 0.5) for n in range(1, 8)]


async def test_without_a_known_direction_it_has_to_be_said(world: World) -> None:
    await world.hears(measured(1, lift=3.0), measured(2, lift=2.0))
    refused = await world.ask("GET", "/v1/rankings", params={"by": "lift"})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, "?order")
    assert await ranked(world, by="lift", order="lowest") == [(2, 2.0), (1, 3.0)]


async def test_a_metric_says_where_it_is_from_and_why_it_may_be_old(world: World) -> None:
    metric = Metric(
        value=0.8,
        standard_deviation=0.1,
        dataset="test",
        slice="age=25-40",
        kind=MetricKind.MEASURED,
        source_name="weighted_precision",
        report=REPORT,
        better=Better.HIGHER,
    )
    pending = Report(role="model_quality", uri=REPORT, status=MetricsStatus.UNREADABLE, reason="access denied")
    await world.hears(
        a_version(metrics={"precision": metric}, reports=[pending], metrics_status=MetricsStatus.UNREADABLE)
    )
    item = (await world.get("/v1/rankings", by="precision"))["items"][0]
    version = item.pop("version")
    assert item == {**metric.model_dump(mode="json", exclude={"threshold"}), "unreadable_because": "access denied"}
    assert version == (await world.get("/v1/model-versions"))["items"][0]

    read = Report(role="model_quality", uri=REPORT, status=MetricsStatus.COMPLETE)
    await world.hears(a_version(metrics={"precision": metric}, reports=[read]))
    assert (await world.get("/v1/rankings", by="precision"))["items"][0]["unreadable_because"] is None


async def test_what_its_source_no_longer_has_is_ranked_as_missing(world: World) -> None:
    await world.hears(measured(1, auc=Metric(value=0.5, better=Better.HIGHER)))
    await world.hears(gone(f"{URN[:-1]}1"))
    items = (await world.get("/v1/rankings", by="auc"))["items"]
    assert [item["version"]["status"] for item in items] == ["missing_from_source"]
    assert (await world.get("/v1/rankings", by="auc", status="registered"))["items"] == []
