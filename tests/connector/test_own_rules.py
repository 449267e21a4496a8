"""A company's own rules in use: what reports and documents say is read by them from then on."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

import pytest
from assent_common.clock import FrozenClock
from assent_common.database import Database
from assent_sagemaker.mapping import rules

from tests.connector import world
from tests.connector.world import connected, register
from tests.support.wait import until

OWN = "metrics: {names: {accuracy: [trefferquote]}}"


async def test_by_other_rules_a_source_is_read_anew_and_what_reads_differently_is_told(
    sagemaker: Any, s3: Any, store: Database, clock: FrozenClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "_used", [])
    urns = []
    for name in ("trefferquote", "accuracy"):
        await s3.put_object(Bucket="reports", Key=f"{name}.json", Body=b'{"%s": 0.93}' % name.encode())
        urns.append(await register(sagemaker, "churn", ModelMetrics=world.metrics_at(f"s3://reports/{name}.json")))
    async with connected(store, clock) as connector:
        await connector.first()
        before = (await connector.versions())[urns[0]]
    assert before.metrics.keys() == {"trefferquote"}

    own = tmp_path / "mapping.yaml"
    own.write_text(OWN)
    rules.use(rules.load(own))
    async with connected(store, clock) as connector:

        async def read_anew() -> Any:
            version = (await connector.versions())[urns[0]]
            return version if "accuracy" in version.metrics else None

        version = await until(read_anew, within_s=30)
        assert version is not None
        assert (version.metrics["accuracy"].value, version.metrics["accuracy"].source_name) == (0.93, "trefferquote")
        assert version.content_hash == before.content_hash
        assert [event.number for event in await connector.events() if event.subject == urns[1]] == [1]


async def test_rules_with_a_mistake_keep_it_from_starting(tmp_path: Path) -> None:
    own = tmp_path / "mapping.yaml"
    own.write_text("metrics: {better: {upwards: [accuracy]}}")
    settings = {
        "ASSENT_MAPPING": str(own),
        "ASSENT_DATABASE_URL": "postgresql+asyncpg://nobody@127.0.0.1:1/none",
        "ASSENT_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "AWS_REGION": world.REGION,
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "assent_sagemaker.main"), env={**os.environ, **settings}, stderr=PIPE
    )
    _, said = await process.communicate()
    assert process.returncode == 1
    assert f"{own}: metrics.better.upwards" in said.decode()
