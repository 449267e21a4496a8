"""Two connector processes on one database: the one dies, and the other goes on as if it had been there all along."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from assent_local.ports import free_port
from assent_local.simulator import Simulator

from tests.connector.test_process import Service
from tests.connector.world import register
from tests.support.wait import until

GROUPS = 6
VERSIONS = 4
SOURCES = "sources:\n" + "".join(
    f"  - {{name: source-{n}, region: eu-central-1, include: [group-{n}], poll_interval: 1s}}\n" for n in range(GROUPS)
)


@pytest.fixture
async def two(
    simulator: Simulator, database_url: str, database_plain_url: str, kafka: str, topic_prefix: str, tmp_path: Path
) -> AsyncIterator[tuple[Service, Service]]:
    sources = tmp_path / "sources.yaml"
    sources.write_text(SOURCES)
    environment = {
        **simulator.environment,
        "ASSENT_DATABASE_URL": database_url,
        "ASSENT_KAFKA_BOOTSTRAP_SERVERS": kafka,
        "ASSENT_KAFKA_TOPIC_PREFIX": topic_prefix,
        "ASSENT_KAFKA_PARTITIONS": "3",
        "ASSENT_SOURCES": str(sources),
    }
    database = await asyncpg.connect(database_plain_url)
    services = [_service(environment, database) for _ in range(2)]
    yield services[0], services[1]
    await asyncio.gather(*(service.stop() for service in services))
    await database.close()


def _service(environment: Mapping[str, str], database: asyncpg.Connection) -> Service:
    port = free_port()
    return Service({**environment, "ASSENT_PORT": str(port)}, port, database)


async def test_what_a_killed_process_read_another_one_reads_within_fifteen_seconds_and_tells_once(
    simulator: Simulator, sagemaker: Any, two: tuple[Service, Service]
) -> None:
    for n in range(GROUPS):
        for _ in range(VERSIONS):
            await register(sagemaker, f"group-{n}")
    first, second = two
    simulator.dial(latency_ms=100)
    await first.start()
    await second.start()

    async def each_has_its_share() -> bool:
        return sorted((await _shares(first)).values()) == [3, 3]

    await until(each_has_its_share, within_s=40)
    fresh = [await register(sagemaker, f"group-{n}") for n in range(GROUPS)]
    await first.kill()
    killed_at = time.monotonic()
    fresh += [await register(sagemaker, f"group-{n}") for n in range(GROUPS)]

    async def all_seen() -> bool:
        told = await first.rows("select urn from records where live")
        return {row["urn"] for row in told} >= set(fresh)

    await until(all_seen, within_s=30)
    assert time.monotonic() - killed_at < 15
    assert len(await _holders(first)) == 1
    written = Counter(row["key"] for row in await first.rows("select key from outbox where key like 'arn:%'"))
    assert len(written) == GROUPS * (VERSIONS + 2) + GROUPS
    assert max(written.values()) == 1, "nothing was told twice"
    sequences = await first.rows("select distinct sequence from records")
    assert [row["sequence"] for row in sequences] == [1]


async def _holders(service: Service) -> Counter[Any]:
    return Counter(row["holder"] for row in await service.rows("select holder from source_leases"))


async def _shares(service: Service) -> Counter[Any]:
    """Who holds how many, once all was read and everybody has something."""
    holders = await _holders(service)
    read = await service.rows("select from sources where last_full_at is not null")
    return holders if len(read) == GROUPS and len(holders) == 2 and None not in holders else Counter()
