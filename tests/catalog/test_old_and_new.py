"""The release of before, on the newest schema but one, beside this one: as an upgrade without a pause has them run."""

import asyncio
import hashlib
import json
import os
import re
import subprocess
import sys
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from aiokafka import AIOKafkaProducer
from assent_common.events import envelope
from assent_common.events.envelope import CloudEvent
from assent_common.probe import healthy
from assent_local.ports import free_port

from tests.catalog.world import MADE_AT, URN, a_candidacy, a_version, an_event
from tests.support.history import REPOSITORY, git, sound
from tests.support.wait import until

MIGRATIONS = "services/catalog-api/src/assent_catalog/migrations/versions"
SOURCES = ("services/catalog-api/src", "libs/common/src")
TOKEN = "a token of a pipeline"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def before(tmp_path: Path) -> Path:
    """The sources as they were before the newest migration."""
    newest = max((REPOSITORY / MIGRATIONS).glob("[0-9]*.py")).name
    added = git("log", "--diff-filter=A", "--format=%H", "-1", "--", f"{MIGRATIONS}/{newest}").strip()
    commit = sound(f"{added}^", [MIGRATIONS]) if added else None
    if commit is None:
        pytest.skip("there is no history of git here in which the newest migration was added")
    archive = subprocess.run(
        ["git", "archive", commit, *SOURCES], cwd=REPOSITORY, check=True, capture_output=True
    ).stdout
    subprocess.run(["tar", "-x", "-C", str(tmp_path)], input=archive, check=True)
    return tmp_path


async def test_both_apply_and_answer_alike_on_one_database(
    before: Path, database_plain_url: str, kafka: str, topic_prefix: str
) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    settings = {
        "ASSENT_DATABASE_URL": database_plain_url,
        "ASSENT_KAFKA_BOOTSTRAP_SERVERS": kafka,
        "ASSENT_KAFKA_TOPIC_PREFIX": topic_prefix,
        "ASSENT_SERVICE_TOKENS": json.dumps({"ci": hashlib.sha256(TOKEN.encode()).hexdigest()}),
    }
    paths = os.pathsep.join(str(before / sources) for sources in SOURCES)
    told = 0

    async def tell(event: CloudEvent) -> None:
        topic = "assent.governance.v1" if "candidacy" in event.type else "assent.registry.v1"
        await producer.send_and_wait(topic_prefix + topic, envelope.to_bytes(event), key=event.subject.encode())

    async def both_applied() -> bool:
        nonlocal told
        for _ in range(10):
            told += 1
            await tell(an_event(a_version(f"{URN}{told}", version=told), 1))
        return all([await old.applied(), await new.applied()])

    async def alike(count: int) -> bool:
        items = [await each.versions() for each in (old, new)]
        seen = {(item["status"], item["description"]) for item in items[0]}
        return items[0] == items[1] and seen == {("candidate", "seen again")} and len(items[0]) == count

    async with _service({**settings, "PYTHONPATH": paths}) as old:
        schema = await _revision(database_plain_url)
        async with _service(settings) as new:
            assert await _revision(database_plain_url) > schema
            await producer.start()
            try:
                await until(both_applied, within_s=90)
                for number in range(1, told + 1):
                    urn = f"{URN}{number}"
                    await tell(an_event(a_candidacy(urn=urn), 1))
                    later = a_version(urn, version=number, accuracy=0.5, description="seen again")
                    await tell(an_event(later, 2, MADE_AT + timedelta(hours=1)))
                await until(lambda: alike(min(told, 200)), within_s=60)
            finally:
                await producer.stop()


class _Service:
    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def applied(self) -> bool:
        said = (await self._client.get("/metrics")).text
        return any(
            float(count) > 0 for count in re.findall(r"^assent_consumer_records_total\S* (\S+)$", said, re.MULTILINE)
        )

    async def versions(self) -> list[dict[str, Any]]:
        answer = await self._client.get("/v1/model-versions?limit=200&sort=version")
        items: list[dict[str, Any]] = answer.json()["items"]
        return items


@asynccontextmanager
async def _service(settings: dict[str, str]) -> AsyncIterator[_Service]:
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "assent_catalog.main"),
        env={**os.environ, **settings, "ASSENT_PORT": str(port)},
        stdin=DEVNULL,
        stdout=DEVNULL,
        stderr=DEVNULL,
    )
    try:
        await until(lambda: asyncio.to_thread(healthy, port, "ready"), within_s=120)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=HEADERS, timeout=60) as client:
            yield _Service(client)
    finally:
        process.kill()
        await process.wait()


async def _revision(url: str) -> str:
    connection = await asyncpg.connect(url)
    try:
        revision: str = await connection.fetchval("select version_num from alembic_version")
        return revision
    finally:
        await connection.close()
