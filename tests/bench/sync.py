"""`make bench-sync`: the connector, whole, from SageMaker to Kafka, beside bare aiobotocore in the same run.

The connector runs as it does in production: its own process, a real Postgres, a real Apache Kafka. AWS is a stand-in
with 20 ms of latency. What is measured begins with the first call that it gets, and ends with the time stamp of the
last event. The table goes into `docs/performance.md`.
"""

import argparse
import asyncio
import json
import os
import secrets
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import Any

import asyncpg
import httpx
import psutil
from aiokafka import AIOKafkaConsumer
from assent_common import http_client, migrations
from assent_common.clock import SystemClock
from assent_common.database import Database
from assent_local.ports import free_port
from assent_local.postgres import Databases, Postgres

from tests.bench import report
from tests.bench.report import Row, Table
from tests.bench.standin import ACCOUNT, QUEUE, REGION
from tests.support.kafka.server import Kafka
from tests.support.wait import until

LATENCY_MS = 20
TOKEN = secrets.token_hex(16)
COMPLETE = b'"metrics_status":"complete"'
PATIENCE_S = 1200.0
LINEAGE = {"ListArtifacts", "QueryLineage"}
"""Asked once a version, long after it was read and beside the polls: no part of what a poll costs."""


@dataclass(frozen=True, slots=True)
class StandIn:
    url: str
    client: httpx.AsyncClient

    async def stand(self) -> dict[str, Any]:
        stand: dict[str, Any] = (await self.client.get(f"{self.url}/_bench")).json()
        return stand

    async def reset(self) -> None:
        await self.client.post(f"{self.url}/_bench/reset")

    async def change(self, number: int, *, told: bool, **where: str) -> tuple[str, float]:
        """The ARN of what was changed, and when. `where`: its account and region."""
        asked = where | ({"told": "1"} if told else {})
        done = (await self.client.post(f"{self.url}/_bench/change/{number}", params=asked)).json()
        return done["arn"], done["at"]


class Topic:
    """What came out on `assent.registry.v1`, by the brokers' time stamps."""

    def __init__(self) -> None:
        #: ARN → when its whole record was first told.
        self.whole_at: dict[bytes, float] = {}
        self.last_at: dict[bytes, float] = {}
        self.events = 0

    async def follow(self, consumer: AIOKafkaConsumer) -> None:
        async for record in consumer:
            self.events += 1
            told_at = record.timestamp / 1000
            self.last_at[record.key] = told_at
            if COMPLETE in record.value:
                self.whole_at.setdefault(record.key, told_at)


@dataclass(frozen=True, slots=True)
class Bench:
    """One connector between a stand-in and a topic of its own."""

    stand_in: StandIn
    topic: Topic
    process: Process
    database: asyncpg.Connection
    versions: int
    port: int

    async def read_whole(self) -> float:
        """Seconds from the first call to the event of the last version with its metrics."""

        async def all_there() -> bool:
            return len(self.topic.whole_at) >= self.versions

        await until(all_there, within_s=PATIENCE_S)
        first_at: float = (await self.stand_in.stand())["first_at"]
        return max(self.topic.whole_at.values()) - first_at

    async def synced(self) -> Any:
        return await self.database.fetchval("select last_synced_at from sources where last_full_at is not null")

    async def next_sync(self) -> Any:
        before = await self.synced()

        async def another() -> Any:
            now = await self.synced()
            return now if now != before else None

        return await until(another, within_s=PATIENCE_S)

    @property
    def peak_mb(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


class House:
    """Postgres and Kafka, for all measurements of a run."""

    def __init__(self, postgres: Databases, kafka: Kafka, client: httpx.AsyncClient, folder: Path) -> None:
        self._postgres = postgres
        self._kafka = kafka
        self._client = client
        self._folder = folder

    @asynccontextmanager
    async def stand_in(self, versions: int, rate: float | None, apart_s: float = 1.0) -> AsyncIterator[StandIn]:
        limits = [] if rate is None else ["--rate", str(rate)]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.bench.standin", "--versions", str(versions)),
            *("--apart-s", str(apart_s), "--latency-ms", str(LATENCY_MS), *limits),
            stdout=PIPE,
        )
        assert process.stdout is not None
        try:
            yield StandIn((await process.stdout.readline()).decode().strip(), self._client)
        finally:
            process.kill()
            await process.wait()

    @asynccontextmanager
    async def connector(self, versions: int, rate: float | None, **source: Any) -> AsyncIterator[Bench]:
        async with self.connected(versions, rate, [source]) as bench:
            yield bench

    @asynccontextmanager
    async def connected(
        self,
        versions: int,
        rate: float | None,
        sources: Sequence[Mapping[str, Any]],
        *,
        apart_s: float = 1.0,
        schema: str = "",
    ) -> AsyncIterator[Bench]:
        """So many versions in each source, registered so long apart. `schema`: SQL for a database that was migrated
        before."""
        name = f"bench_{secrets.token_hex(4)}"
        await self._postgres.create_database(name)
        if schema:
            await self._prepare(name, schema)
        prefix, port = f"{name}.", free_port()
        async with self.stand_in(versions, rate, apart_s) as stand_in:
            described = [
                {"name": "bench", "region": REGION, "reconcile_interval": "6h", **source}
                | ({"events_queue_url": f"{stand_in.url}/{ACCOUNT}/{QUEUE}"} if "events_queue_url" in source else {})
                for source in sources
            ]
            file = self._folder / f"{name}.yaml"
            file.write_text(json.dumps({"sources": described}))
            environment = {
                **os.environ,
                **{f"AWS_ENDPOINT_URL_{service}": stand_in.url for service in ("SAGEMAKER", "S3", "SQS", "STS")},
                "AWS_ACCESS_KEY_ID": "bench",
                "AWS_SECRET_ACCESS_KEY": "bench",
                "ASSENT_SOURCES": str(file),
                "ASSENT_DATABASE_URL": self._postgres.url(name),
                "ASSENT_KAFKA_BOOTSTRAP_SERVERS": self._kafka.bootstrap_servers,
                "ASSENT_KAFKA_TOPIC_PREFIX": prefix,
                "ASSENT_KAFKA_PARTITIONS": "6",
                "ASSENT_PORT": str(port),
                "ASSENT_LOG_LEVEL": "WARNING",
                "ASSENT_SERVICE_TOKENS": json.dumps({"bench": sha256(TOKEN.encode()).hexdigest()}),
            }
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "assent_sagemaker.main"), env=environment, stdout=DEVNULL
            )
            topic = Topic()
            consumer = AIOKafkaConsumer(
                f"{prefix}assent.registry.v1",
                bootstrap_servers=self._kafka.bootstrap_servers,
                auto_offset_reset="earliest",
                metadata_max_age_ms=500,
            )
            await consumer.start()
            following = asyncio.create_task(topic.follow(consumer))
            database = await asyncpg.connect(self._postgres.plain_url(name))
            try:
                yield Bench(stand_in, topic, process, database, versions * len(sources), port)
            finally:
                process.terminate()
                await process.wait()
                following.cancel()
                await asyncio.gather(following, return_exceptions=True)
                await consumer.stop()
                await database.close()
                await self._postgres.drop_database(name)

    def connections(self, process: psutil.Process, stand_in: StandIn) -> dict[str, int]:
        """That the process holds at the moment."""
        ports = {
            "Postgres": self._postgres.port,
            "Kafka": int(self._kafka.bootstrap_servers.rpartition(":")[2]),
            "AWS": int(stand_in.url.rpartition(":")[2]),
        }
        held = [each.raddr.port for each in process.net_connections("tcp") if each.raddr]
        return {name: held.count(port) for name, port in ports.items()}

    async def _prepare(self, name: str, schema: str) -> None:
        database = Database(self._postgres.url(name), service="sagemaker-connector", clock=SystemClock())
        try:
            await migrations.upgrade(database, "assent_sagemaker")
            async with database.connection() as connection:
                await connection.execute(schema)
        finally:
            await database.close()

    async def floor(self, how: str, versions: int, rate: float | None) -> tuple[float, dict[str, Any]]:
        async with self.stand_in(versions, rate) as stand_in:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.bench.floors", how, stand_in.url), stdout=PIPE
            )
            said, _ = await process.communicate()
            measured = json.loads(said)
            assert measured["read"] == versions, measured
            return measured["seconds"], await stand_in.stand()


@asynccontextmanager
async def house() -> AsyncIterator[House]:
    with tempfile.TemporaryDirectory(prefix="assent-bench-") as folder:
        postgres = Postgres(Path(folder) / "postgres", free_port(), durable=True)
        kafka = Kafka(Path(folder) / "kafka")
        await asyncio.gather(postgres.start(), kafka.start())
        try:
            async with http_client.create() as client:
                yield House(postgres, kafka, client, Path(folder))
        finally:
            await asyncio.gather(postgres.kill(), kafka.kill())


async def full_syncs(house: House, table: Table, sizes: list[int], repeat: int) -> None:
    for versions in sizes:
        for rate in (None, 50.0):
            floors: dict[str, float] = {}
            for how in ("search", "describe"):
                # At 50 calls a second, one bare run of thousands is long enough to be sure of.
                times = repeat if rate is None else 1
                took = [await house.floor(how, versions, rate) for _ in range(times)]
                floors[how] = median(seconds for seconds, _ in took)
                table.add(_row(f"bare {how}", versions, rate, [seconds for seconds, _ in took], took[-1][1], floors))
            ours: list[float] = []
            stand: dict[str, Any] = {}
            for _ in range(repeat):
                async with house.connector(versions, rate) as bench:
                    ours.append(await bench.read_whole())
                    await until(lambda bench=bench: bench.synced(), within_s=PATIENCE_S)  # type: ignore[misc]
                    stand = await bench.stand_in.stand()
                    assert bench.topic.events < versions * 1.2, f"told twice: {bench.topic.events} events"
            table.add(_row("Assent, to events on Kafka", versions, rate, ours, stand, floors))


async def steady(house: House, table: Table, versions: int) -> None:
    """What a poll costs where nothing changed, and how soon a change is told: by a poll, and by SQS."""
    interval_s = 3.0
    async with house.connector(versions, None, poll_interval=f"{interval_s:.0f}s") as bench:
        await bench.read_whole()
        await bench.next_sync()
        polls = 5
        await bench.next_sync()
        await bench.stand_in.reset()
        for _ in range(polls):
            await bench.next_sync()
        every = (await bench.stand_in.stand())["calls"]
        calls = {name: count for name, count in every.items() if name not in LINEAGE}
        table.add(
            Row(
                f"a poll of {versions:,} versions, nothing changed",
                f"{sum(calls.values()) / polls:.1f} calls",
                f"≤ 3 ({', '.join(f'{name} {count / polls:.1f}' for name, count in sorted(calls.items()))})",
            )
        )
        seconds = await _told(bench, told=False, numbers=[7, 1234 % versions, versions - 1])
        table.add(
            Row(f"one change, by polls every {interval_s:.0f} s", report.spread(seconds), f"≤ {interval_s:.0f} s")
        )
    async with house.connector(versions, None, poll_interval="1h", events_queue_url="to be told") as bench:
        await bench.read_whole()
        seconds = await _told(bench, told=True, numbers=[(number * 97) % versions for number in range(20)])
        table.add(Row("one change, by EventBridge and SQS", report.spread(seconds), "≤ 1 s"))


async def large(house: House, table: Table, versions: int) -> None:
    async with house.connector(versions, None) as bench:
        took = await bench.read_whole()
        row = Row(
            f"{versions:,} versions with metrics, whole", f"{took:.0f} s, peak {bench.peak_mb:.0f} MB", "≤ 300 MB"
        )
        table.add(row)


async def _told(bench: Bench, *, told: bool, numbers: list[int]) -> list[float]:
    took = []
    for number in numbers:
        arn, at = await bench.stand_in.change(number, told=told)

        async def heard(arn: str = arn, at: float = at) -> float | None:
            last = bench.topic.last_at.get(arn.encode(), 0.0)
            return last if last >= at else None

        heard_at = await until(heard, within_s=60)
        assert heard_at is not None
        took.append(heard_at - at)
    return took


def _row(
    what: str,
    versions: int,
    rate: float | None,
    seconds: list[float],
    stand: Mapping[str, Any],
    floors: Mapping[str, float],
) -> Row:
    calls = {name: count for name, count in stand["calls"].items() if name != "GetObject"}
    beside = ", ".join(f"{median(seconds) / floor:.2f} x bare {how}" for how, floor in floors.items())
    pace = "unthrottled" if rate is None else f"{rate:.0f} calls/s"
    return Row(
        f"{versions:,} versions, {pace}: {what}",
        report.spread(seconds),
        f"{beside}; {sum(calls.values()):,} calls, {stand['throttled']:,} throttled",
    )


async def bench(sizes: list[int], repeat: int, largest: int, write_to: Path | None) -> None:
    table = Table("bench-sync", "The connector: from SageMaker to Kafka")
    async with house() as servers:
        measurements: list[Callable[[], Awaitable[None]]] = [
            lambda: full_syncs(servers, table, sizes, repeat),
            lambda: steady(servers, table, max(sizes)),
        ]
        if largest:
            measurements.append(lambda: large(servers, table, largest))
        for measure in measurements:
            await measure()
    if write_to is not None:
        table.write(write_to)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 5000], help="Numbers of versions")
    parser.add_argument("--repeat", type=int, default=3, help="Of which the median counts")
    parser.add_argument("--large", type=int, default=100_000, help="Versions for the memory's peak; 0 leaves it out")
    parser.add_argument("--write", type=Path, default=None, help="The Markdown page that keeps the table")
    given = parser.parse_args()
    asyncio.run(bench(given.sizes, given.repeat, given.large, given.write))


if __name__ == "__main__":
    main()
