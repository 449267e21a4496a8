"""How fast events become rows: the consumer as it runs, beside raw consumption and COPY of the rows that came of it.

Both sides read the same events from the same Apache Kafka with the same options, join a group, commit their offsets and
leave. Ours parses, applies and tells; the floor throws away what it reads, and then copies the same rows into the same
tables, with all of their indexes and all that is in them, each table at once.
"""

import argparse
import asyncio
import cProfile
import pstats
import secrets
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import asyncpg
import psutil
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from assent_catalog.main import LANES
from assent_catalog.projection.apply import apply
from assent_common import ids, service, telemetry
from assent_common.clock import SystemClock
from assent_common.database import Database
from assent_common.events import envelope
from assent_common.events.envelope import CloudEvent
from assent_common.events.registry import Metric, ModelVersionObserved
from assent_common.health import Health
from assent_common.kafka import topics
from assent_common.kafka.connection import ensure_topics, options
from assent_common.kafka.consumer import Consumer
from assent_common.settings import Settings
from assent_common.uow import UnitOfWork
from pydantic import SecretStr

from tests.bench.report import Row, Table
from tests.support.kafka.server import Kafka

BATCH = 500
GROUP = "assent-bench"
NAMES = ("churn", "credit-risk", "fraud", "pricing", "demand-forecast", "cv-screening", "chat-intent", "image-quality")
ACCOUNT = "arn:aws:sagemaker:eu-central-1:123456789012"
#: Table → which of its rows came of the events. What refers to another comes after it.
TABLES = {
    "model_versions": "source = 'bench'",
    "metrics": "model_version in (select id from model_versions where source = 'bench')",
    "model_version_history": "urn in (select urn from model_versions where source = 'bench')",
    "outbox": "scope = 'bench'",
}


@dataclass(frozen=True, slots=True)
class Cost:
    """Of reading and of writing, so that both sides can be told apart."""

    wall_s: float
    #: What the processors did, which does not depend on who else works on the machine.
    python_s: float
    postgres_s: float

    @property
    def cpu_s(self) -> float:
        return self.python_s + self.postgres_s

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.wall_s + other.wall_s, self.python_s + other.python_s, self.postgres_s + other.postgres_s)

    def __str__(self) -> str:
        return f"{self.wall_s:.2f} s (Python {self.python_s:.2f} s, Postgres {self.postgres_s:.2f} s)"


class Watch:
    """What passes between the beginning and the end of a block."""

    def __enter__(self) -> "Watch":
        self._before = (time.perf_counter(), time.process_time(), postgres_s())
        return self

    def __exit__(self, *_: object) -> None:
        wall, python, postgres = self._before
        self.cost = Cost(time.perf_counter() - wall, time.process_time() - python, postgres_s() - postgres)


async def applied(database: Database, kafka: str, table: Table, *, count: int, repeat: int, profile: bool) -> None:
    ours: list[Cost] = []
    floors: list[Cost] = []
    for _ in range(repeat):
        settings = Settings(
            database_url=SecretStr("postgresql://unused"),
            kafka_bootstrap_servers=kafka,
            kafka_topic_prefix=f"bench-{secrets.token_hex(4)}.",
        )
        await _produce(settings, count)
        ours.append(await _ours(settings, database, count, profile))
        floors.append(await _raw_consumed(settings, count) + await _copied(database, count))
        print(f"  ours {ours[-1]}, floor {floors[-1]}", flush=True)  # noqa: T201 - for who waits
    table.add(
        Row(
            f"{count:,} new versions from Kafka, in batches of {BATCH}, {repeat} times",
            f"{_rate(count, [cost.wall_s for cost in ours])} a second",
            f"{_ratio(ours, floors)} of raw consumption and COPY into the same tables "
            f"({_rate(count, [cost.wall_s for cost in floors])} a second); goal 50 %",
        )
    )


def an_event(number: int) -> CloudEvent:
    name = f"{NAMES[number % len(NAMES)]}-applied"
    version = ModelVersionObserved(
        urn=f"{ACCOUNT}:model-package/{name}/{number}",
        source="bench",
        model=f"{ACCOUNT}:model-package-group/{name}",
        name=name,
        version=number,
        description=f"Candidate {number}",
        type="binary_classification",
        framework="XGBOOST",
        metrics={each: Metric(value=0.9) for each in ("accuracy", "precision", "recall", "f1", "auc")},
        source_status="Completed",
        created_at=SystemClock().now(),
        content_hash=f"sha256:{number}",
        raw={"ModelPackageArn": "arn", "Filler": "x" * 500},
    )
    return envelope.create(
        source="/bench",
        type="assent.registry.model_version.observed.v1",
        subject=version.urn,
        sequence=1,
        time=version.created_at,
        data=version,
        correlation_id=str(ids.new()),
        traceparent=f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01",
    )


async def _produce(settings: Settings, count: int) -> None:
    await ensure_topics(settings, [topics.REGISTRY])
    producer = AIOKafkaProducer(**options(settings, "bench"), linger_ms=5)
    await producer.start()
    name = topics.REGISTRY.full_name(settings.kafka_topic_prefix)
    sent = []
    for number in range(count):
        event = an_event(number)
        sent.append(await producer.send(name, envelope.to_bytes(event), key=event.subject.encode()))
    await asyncio.gather(*sent)
    await producer.stop()


async def _ours(settings: Settings, database: Database, count: int, profile: bool) -> Cost:
    stopping = asyncio.Event()
    seen = 0

    async def apply_and_count(uow: UnitOfWork, events: Sequence[CloudEvent]) -> None:
        nonlocal seen
        await apply(uow, events)
        seen += len(events)
        if seen >= count:
            stopping.set()

    consumer = Consumer(
        settings,
        database,
        Health(SystemClock()),
        group=GROUP,
        topics=[topics.REGISTRY],
        apply=apply_and_count,
        service_version="bench",
        batch=BATCH,
        lanes=LANES,
    )
    profiler = cProfile.Profile()
    with Watch() as watch:
        if profile:
            profiler.enable()
        await consumer.run(stopping)
        profiler.disable()
    if profile:
        pstats.Stats(profiler).sort_stats("tottime").print_stats(45)
        pstats.Stats(profiler).sort_stats("cumulative").print_stats(60)
    return watch.cost


async def _raw_consumed(settings: Settings, count: int) -> Cost:
    """As the consumer does, but that nothing is done with it."""
    read = 0
    with Watch() as watch:
        await ensure_topics(settings, [topics.REGISTRY])
        consumer = AIOKafkaConsumer(
            topics.REGISTRY.full_name(settings.kafka_topic_prefix),
            **options(settings, "floor"),
            group_id=settings.kafka_topic_prefix + "floor",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=100,
            max_partition_fetch_bytes=2 * 1024 * 1024,
        )
        await consumer.start()
        while read < count:
            fetched = await consumer.getmany(timeout_ms=250, max_records=BATCH)
            read += sum(len(records) for records in fetched.values())
            await consumer.commit()
        await consumer.stop()
    return watch.cost


async def _copied(database: Database, count: int) -> Cost:
    """The rows that `apply` wrote are taken out and copied in again, and then taken out for good."""
    async with database.connection() as connection:
        kept = {name: await _taken(connection, name, which) for name, which in TABLES.items()}
        assert kept["model_versions"][0] == kept["outbox"][0] == count
        await _forget(connection)
        with Watch() as watch:
            for name, (_, columns, chunks) in kept.items():
                await connection.copy_to_table(name, source=_each(chunks), columns=columns, format="binary")
        await _forget(connection)
    return watch.cost


async def _taken(connection: asyncpg.Connection, name: str, which: str) -> tuple[int, list[str], list[bytes]]:
    """How many, of which columns, as COPY writes them."""
    columns = [
        row["column_name"]
        for row in await connection.fetch(
            "select column_name from information_schema.columns where table_schema = 'public' and table_name = $1 "
            "and is_identity = 'NO' order by ordinal_position",
            name,
        )
    ]
    kept: list[bytes] = []

    async def keep(chunk: bytes) -> None:
        kept.append(bytes(chunk))

    statement = f"select {', '.join(columns)} from {name} where {which}"
    status = await connection.copy_from_query(statement, output=keep, format="binary")
    return int(status.rpartition(" ")[2]), columns, kept


async def _forget(connection: asyncpg.Connection) -> None:
    for name, which in reversed(TABLES.items()):
        await connection.execute(f"delete from {name} where {which}")
    await connection.execute(f"vacuum analyze {', '.join(TABLES)}")
    await connection.execute("checkpoint")


async def _each(chunks: list[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


@asynccontextmanager
async def broker() -> AsyncIterator[str]:
    """Apache Kafka for this alone: where it is asked."""
    with tempfile.TemporaryDirectory(prefix="assent-bench-") as folder:
        kafka = Kafka(Path(folder) / "kafka")
        await kafka.start()
        try:
            yield kafka.bootstrap_servers
        finally:
            await kafka.kill()


def postgres_s() -> float:
    """Of all of its processes, those that are gone among them."""
    total = 0.0
    for process in psutil.Process().children(recursive=True):
        try:
            if process.name() == "postgres":
                times = process.cpu_times()
                total += times.user + times.system + times.children_user + times.children_system
        except psutil.NoSuchProcess:
            continue
    return total


def _rate(count: int, seconds: list[float]) -> str:
    if len(seconds) == 1:
        return f"{count / seconds[0]:,.0f}"
    return f"{count / median(seconds):,.0f} ({count / max(seconds):,.0f}-{count / min(seconds):,.0f})"


def _ratio(ours: list[Cost], floors: list[Cost]) -> str:
    """By the clock, and by what the processors did."""
    wall = median(floor.wall_s for floor in floors) / median(cost.wall_s for cost in ours)
    cpu = median(floor.cpu_s for floor in floors) / median(cost.cpu_s for cost in ours)
    return f"{wall:.0%} ({cpu:.0%} by processor time)"


async def _alone(given: argparse.Namespace) -> None:
    from tests.bench.catalog import Catalog

    telemetry.configure("bench", "WARNING")
    service.collect_seldom()
    async with Catalog.open(None) as catalog, broker() as kafka:
        if given.versions:
            await catalog.sow(given.versions)
        table = Table("bench-applying", "Events applied")
        await applied(catalog.database, kafka, table, count=given.events, repeat=given.repeat, profile=given.profile)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--versions", type=int, default=100_000, help="In the tables before")
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--profile", action="store_true", help="Where this process's time goes")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_alone(parser.parse_args()))


if __name__ == "__main__":
    main()
