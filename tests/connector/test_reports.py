"""A report that can't be read costs its own values and nothing else, and is tried again."""

from datetime import timedelta
from typing import Any

import pytest
from assent_common.events.registry import MetricsStatus
from assent_local.simulator import Simulator
from assent_sagemaker.reports import CHECK_EVERY

from tests.connector import world
from tests.connector.conftest import Connect
from tests.connector.world import register
from tests.support.wait import until

REPORT = b'{"regression_metrics": {"rmse": {"value": %s}}}'


@pytest.mark.parametrize("kind", ["access_denied", "not_found", "server_error", "truncated"])
async def test_one_report_of_many_that_can_not_be_read_leaves_the_others_theirs(
    simulator: Simulator, sagemaker: Any, s3: Any, connect: Connect, kind: str
) -> None:
    urns = []
    for number in range(5):
        await s3.put_object(Bucket="reports", Key=f"{number}.json", Body=REPORT % b"0.5")
        urns.append(await register(sagemaker, "prices", ModelMetrics=world.metrics_at(f"s3://reports/{number}.json")))
    simulator.dial(s3=[{"prefix": "reports/3.json", "kind": kind}])
    connector = await connect()
    versions = await connector.versions()
    assert len(versions) == 5
    broken = versions.pop(urns[3])
    assert (broken.metrics, broken.metrics_status) == ({}, MetricsStatus.UNREADABLE)
    assert broken.metrics_reason
    assert all(version.metrics["rmse"].value == 0.5 for version in versions.values())

    simulator.dial()
    told = len(await connector.events())
    connector.clock.advance(timedelta(seconds=16))
    await connector.wake()

    async def mended() -> bool:
        version = (await connector.versions())[urns[3]]
        return version.metrics_status is MetricsStatus.COMPLETE and version.metrics["rmse"].value == 0.5

    await until(mended, within_s=10)
    assert len(await connector.events()) == told + 1


async def test_an_outage_leaves_the_values_last_read_and_the_content_hash(
    simulator: Simulator, sagemaker: Any, s3: Any, connect: Connect
) -> None:
    await s3.put_object(Bucket="reports", Key="1.json", Body=REPORT % b"0.5")
    urn = await register(sagemaker, "prices", ModelMetrics=world.metrics_at("s3://reports/1.json"))
    connector = await connect()
    before = (await connector.versions())[urn]

    simulator.dial(s3=[{"prefix": "reports/", "kind": "access_denied"}])
    await sagemaker.update_model_package(ModelPackageArn=urn, ModelApprovalStatus="Approved")
    await connector.poll()
    during = (await connector.versions())[urn]
    assert during.metrics == before.metrics
    assert during.content_hash == before.content_hash
    assert during.metrics_status is MetricsStatus.UNREADABLE
    assert "access denied" in during.metrics_reason

    told = len(await connector.events())
    calls = simulator.calls("GetObject")
    connector.clock.advance(timedelta(seconds=16))
    await connector.wake()
    await until(lambda: simulator.calls("GetObject") > calls, within_s=10)
    await connector.full()
    assert len(await connector.events()) == told + 1, "the outage is not told again, only that a sync was completed"


async def test_a_report_that_is_written_over_in_its_place_is_noticed_though_nothing_tells_of_it(
    sagemaker: Any, s3: Any, connect: Connect
) -> None:
    await s3.put_object(Bucket="reports", Key="1.json", Body=REPORT % b"0.5")
    urn = await register(sagemaker, "prices", ModelMetrics=world.metrics_at("s3://reports/1.json"))
    connector = await connect()
    before = (await connector.versions())[urn]
    await s3.put_object(Bucket="reports", Key="1.json", Body=REPORT % b"0.7")
    connector.clock.advance(1.5 * CHECK_EVERY)
    await connector.wake()

    async def noticed() -> bool:
        return bool((await connector.versions())[urn].metrics["rmse"].value == 0.7)

    await until(noticed, within_s=20)
    after = (await connector.versions())[urn]
    assert after.content_hash != before.content_hash
    assert after.modified_at == before.modified_at


async def test_tries_become_rarer(simulator: Simulator, sagemaker: Any, s3: Any, connect: Connect) -> None:
    await register(sagemaker, "prices", ModelMetrics=world.metrics_at("s3://reports/missing.json"))
    connector = await connect()

    async def kept() -> Any:
        (row,) = await connector.rows(
            "select reports_attempts as attempts, reports_due_at - $1 as wait from records where model is not null",
            connector.clock.now(),
        )
        return row

    assert (await kept())["wait"] == timedelta(seconds=15)
    for attempts, wait in ((2, 30), (3, 60), (4, 120)):
        connector.clock.advance((await kept())["wait"])
        await connector.wake()

        async def tried(attempts: int = attempts) -> bool:
            return bool((await kept())["attempts"] == attempts)

        await until(tried, within_s=10)
        assert (await kept())["wait"] == timedelta(seconds=wait)
