"""The connector as a process, on real Kafka: killed in the middle, it ends as if it had not been."""

import asyncio
import contextlib
import hashlib
import json
import os
import random
import secrets
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from assent_common import http_client
from assent_common.events import envelope
from assent_local.ports import free_port
from assent_local.simulator import Simulator

from tests.connector import test_write_back as decisions
from tests.connector.test_full_sync import seed
from tests.connector.test_training_jobs import train
from tests.connector.world import register
from tests.support.wait import until

TOKEN = "connector-tests"
SOURCES = """
sources:
  - {name: demo, region: eu-central-1, poll_interval: 500ms, reconcile_interval: 1h, write_back: true}
"""
OF_VERSIONS = "select body from outbox where key like '%model-package/%' order by id"


class Service:
    """One connector process after another, on one database and one cluster."""

    def __init__(self, environment: Mapping[str, str], port: int, database: asyncpg.Connection) -> None:
        self._environment = {**os.environ, **environment}
        self._database = database
        self._process: Process | None = None
        self.url = f"http://127.0.0.1:{port}"

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "assent_sagemaker.main"), env=self._environment, stderr=DEVNULL
        )

    async def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        assert await self._process.wait() == -signal.SIGKILL

    async def stop(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            async with asyncio.timeout(10):
                assert await self._process.wait() == 0

    async def rows(self, statement: str) -> list[Any]:
        with contextlib.suppress(asyncpg.UndefinedTableError):
            found: list[Any] = await self._database.fetch(statement)
            return found
        return []

    async def synced(self) -> bool:
        return bool(await self.rows("select from sync_runs where status = 'completed'"))

    async def published(self) -> bool:
        return not await self.rows("select from outbox where published_at is null")


@pytest.fixture
async def service(
    simulator: Simulator, database_url: str, database_plain_url: str, kafka: str, topic_prefix: str, tmp_path: Path
) -> AsyncIterator[Service]:
    sources = tmp_path / "sources.yaml"
    sources.write_text(SOURCES)
    port = free_port()
    environment = {
        **simulator.environment,
        "ASSENT_DATABASE_URL": database_url,
        "ASSENT_KAFKA_BOOTSTRAP_SERVERS": kafka,
        "ASSENT_KAFKA_TOPIC_PREFIX": topic_prefix,
        "ASSENT_KAFKA_PARTITIONS": "3",
        "ASSENT_SOURCES": str(sources),
        "ASSENT_PORT": str(port),
        "ASSENT_SERVICE_TOKENS": f'{{"tests": "{hashlib.sha256(TOKEN.encode()).hexdigest()}"}}',
    }
    database = await asyncpg.connect(database_plain_url)
    service = Service(environment, port, database)
    yield service
    await service.stop()
    await database.close()


async def test_killed_again_and_again_in_its_first_sync_it_ends_as_without(
    simulator: Simulator, service: Service, kafka: str, topic_prefix: str
) -> None:
    await seed(simulator, 8, 50)
    dice = random.Random(secrets.randbits(32))
    for at in sorted(dice.sample(range(1, 400), 2)):
        await service.start()

        async def got_so_far(at: int = at) -> bool:
            return len(await service.rows("select from records")) >= at

        await until(got_so_far, within_s=60)
        await service.kill()
    await service.start()
    await until(service.synced, within_s=60)
    await until(service.published, within_s=30)

    told = await _topic(kafka, f"{topic_prefix}assent.registry.v1")
    last = {event.subject: event for event in told}
    assert len(last) == 400 + 8 + 1
    assert {event.number for subject, event in last.items() if subject != "demo"} == {1}
    assert last["demo"].data["census"]["model_version"] == {"live": 400, "sequences": 400}
    written = Counter(row["key"] for row in await service.rows("select key from outbox"))
    assert max(written.values()) == 1
    runs = await service.rows("select status from sync_runs")
    assert {row["status"] for row in runs} <= {"completed", "interrupted"}
    assert [row["status"] for row in runs].count("completed") == 1


async def test_a_decision_on_the_topic_reaches_sagemaker_and_is_told(
    simulator: Simulator, sagemaker: Any, service: Service, kafka: str, topic_prefix: str
) -> None:
    urn = await register(sagemaker, "churn")
    await service.start()
    await until(service.synced, within_s=60)
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    topic = f"{topic_prefix}assent.governance.v1"
    event = decisions.said(urn, decisions.ACCEPTED, 3)
    for body in (envelope.to_bytes(event), b"garbage", envelope.to_bytes(event)):
        await producer.send_and_wait(topic, body, key=event.subject.encode())
    await producer.stop()

    async def approved() -> bool:
        return (await decisions.approval(sagemaker, urn))[0] == "Approved"

    await until(approved, within_s=60)
    async with answering(service) as get:

        async def done() -> Any:
            items = (await get("/v1/write-backs"))["items"]
            return items if [item["state"] for item in items] == ["done"] else None

        await until(done, within_s=20)
        ready = (await get("/health/ready"))["dependencies"]
        assert ready["sources"]["status"] == "working"
        assert len((await get("/v1/audit?action=write_back"))["items"]) == 1
    await until(service.published, within_s=20)
    letters = await _raw(kafka, f"{topic_prefix}assent.sagemaker-connector.dlq.v1")
    assert letters == [b"garbage"]
    observed = [e for e in await _topic(kafka, f"{topic_prefix}assent.registry.v1") if e.subject == urn]
    # A poll may see it between the two calls by which the approval and the labels are written.
    said = [status for status, _ in groupby(e.data["source_approval_status"] for e in observed)]
    assert said == ["PendingManualApproval", "Approved"]
    states = {json.dumps({**e.data, "changed_fields": []}, sort_keys=True) for e in observed}
    assert len(states) == len(observed), "nothing is told twice"
    assert observed[-1].correlationid == event.correlationid
    assert simulator.calls("UpdateModelPackage") == decisions.APPROVAL_AND_LABELS


async def test_killed_while_it_writes_back_it_writes_once(
    simulator: Simulator, sagemaker: Any, service: Service, kafka: str, topic_prefix: str
) -> None:
    urn = await register(sagemaker, "churn")
    await service.start()
    await until(service.synced, within_s=60)
    simulator.dial(latency_ms=300)
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    event = decisions.said(urn, decisions.ACCEPTED, 3)
    await producer.send_and_wait(
        f"{topic_prefix}assent.governance.v1", envelope.to_bytes(event), key=event.subject.encode()
    )
    await producer.stop()
    await until(lambda: simulator.calls("UpdateModelPackage") == 1, within_s=60)
    await service.kill()
    simulator.dial()
    await service.start()

    async def done() -> bool:
        return bool(await service.rows("select from write_backs where state = 'done'"))

    await until(done, within_s=60)
    assert (await decisions.approval(sagemaker, urn))[0] == "Approved"
    # Killed between the approval and its labels, SageMaker did say the one without the other for a while.
    rows = await service.rows("select sequence from records where kind = 'model_version'")
    assert [row["sequence"] for row in rows] in ([2], [3])
    assert simulator.calls("UpdateModelPackage") - decisions.APPROVAL_AND_LABELS in (0, 1)
    assert len(await service.rows("select from audit where action = 'write_back'")) == 1
    assert not await service.rows("select from approvals where writing is not null or drift is not null")


async def test_killed_between_reading_a_training_job_and_telling_it_loses_nothing_and_tells_nothing_twice(
    simulator: Simulator,
    sagemaker: Any,
    service: Service,
    database_plain_url: str,
    kafka: str,
    topic_prefix: str,
) -> None:
    simulator.dial(denied=["Search", "DescribeTrainingJob"])
    urn = await register(sagemaker, "churn", MetadataProperties={"GeneratedBy": await train(sagemaker, "churn")})
    await service.start()

    async def refused() -> bool:
        return bool(await service.rows("select from job_readings where reason is not null and attempts > 0"))

    await until(refused, within_s=60)
    simulator.dial()
    await service.kill()
    await _killed_in_its_training_job(service, database_plain_url, settling=False)
    await _killed_in_its_training_job(service, database_plain_url, settling=True)
    await service.start()
    await _is_due(service)

    async def settled() -> bool:
        return bool(await service.rows("select from job_readings where document is not null and due_at is null"))

    await until(settled, within_s=60)
    await until(service.published, within_s=30)
    # Published perhaps again, for the broker was not asked before the kill what it has; but as one event each.
    told = {e.number: e for e in await _topic(kafka, f"{topic_prefix}assent.registry.v1") if e.subject == urn}
    assert [told[number].data["training"] is not None for number in sorted(told)] == [False, False, True]
    assert told[3].data["unread"] == {}
    numbers = [envelope.from_bytes(row["body"]).number for row in await service.rows(OF_VERSIONS)]
    assert numbers == [1, 2, 3]


async def _is_due(service: Service) -> None:
    """As if so much time had passed that what a dead process took comes due again."""
    await service.rows("update job_readings set due_at = now()")


async def _killed_in_its_training_job(service: Service, database_url: str, *, settling: bool) -> None:
    """Between reading the job and telling the version, or between that and settling it."""
    telling, settled = await asyncpg.connect(database_url), await asyncpg.connect(database_url)
    try:
        held_up = telling.transaction()
        await held_up.start()
        await telling.execute("select from records where kind = 'model_version' for update")
        await service.rows("update job_readings set document = null")
        await _is_due(service)
        await service.start()

        async def read() -> bool:
            return bool(await service.rows("select from job_readings where document is not null"))

        await until(read, within_s=60)
        if settling:
            await settled.transaction().start()
            await settled.execute("select from job_readings for share")
            await held_up.rollback()

            async def told() -> bool:
                rows = await service.rows(OF_VERSIONS)
                return any(envelope.from_bytes(row["body"]).data["training"] is not None for row in rows)

            await until(told, within_s=60)
        await service.kill()
    finally:
        await telling.close()
        await settled.close()


@asynccontextmanager
async def answering(service: Service) -> AsyncIterator[Callable[[str], Awaitable[Any]]]:
    async with http_client.create() as http:

        async def get(path: str) -> Any:
            answer: httpx.Response = await http.get(service.url + path, headers={"Authorization": f"Bearer {TOKEN}"})
            assert answer.status_code == 200, answer.text
            return answer.json()

        yield get


async def _topic(kafka: str, topic: str) -> list[envelope.CloudEvent]:
    return [envelope.from_bytes(body) for body in await _raw(kafka, topic)]


async def _raw(kafka: str, topic: str) -> list[bytes]:
    """Everything on the topic, in order per partition."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=kafka, auto_offset_reset="earliest")
    await consumer.start()
    try:
        partitions = [TopicPartition(topic, n) for n in sorted(consumer.partitions_for_topic(topic) or ())]
        wanted = sum((await consumer.end_offsets(partitions)).values())
        found: list[bytes] = []
        async with asyncio.timeout(30):
            while len(found) < wanted:
                fetched = await consumer.getmany(timeout_ms=100)
                found += [record.value for batch in fetched.values() for record in batch]
        return found
    finally:
        await consumer.stop()
