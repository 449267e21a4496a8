"""So many who follow `/v1/events` of one service, and then ten times as many, beside the same stream of changes.

The catalogue and the workflow as they run, with Postgres and a broker: events are written into the outbox as the
service itself does it, and go out by its relay.
"""

import asyncio
import hashlib
import json
import secrets
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

import psutil
from assent_common import ids, migrations
from assent_common.clock import SystemClock
from assent_common.database import Database
from assent_common.events.catalog import ModelVersionChanged, ModelVersionStatus
from assent_common.events.governance import CandidacyChanged, CandidacyStatus
from assent_common.events.model import Payload
from assent_common.kafka.topics import CATALOG, GOVERNANCE, Topic
from assent_common.probe import healthy
from assent_local import broker
from assent_local.ports import free_port
from assent_local.postgres import Postgres, embedded

from tests.bench.cost import Cost, Costs, Meter, grown
from tests.bench.gate import process
from tests.bench.report import Row, Table
from tests.support.wait import until

TOKEN = secrets.token_hex(16)
#: Of each round, so many a second.
CHANGES = 20
EVERY_S = 0.1
ROUNDS = 3
IDLE_S = 3.0


class Served(NamedTuple):
    port: int
    process: psutil.Process
    database: Database


class Measured(NamedTuple):
    changes: Costs
    #: Of a second in which nothing happens.
    idle: Cost
    #: Seconds, of each change, until the last of all had it.
    slowest: Sequence[float]
    memory_mb: float


class Followers:
    """They read what comes, and note when: as little as can be done about a stream."""

    def __init__(self) -> None:
        self.heard: dict[bytes, int] = {}
        self.whole_at: dict[bytes, float] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def come(self, port: int, count: int) -> None:
        for _ in range(count):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(f"GET /v1/events HTTP/1.1\r\nHost: b\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            # Where it stands: it follows by then.
            await reader.readuntil(b"\n\n")
            self._tasks.append(asyncio.create_task(self._follow(reader, writer)))

    async def go(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def all_heard(self, keys: Sequence[bytes]) -> None:
        await until(lambda: all(self.heard.get(key, 0) >= len(self._tasks) for key in keys), within_s=600)

    async def _follow(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                line = await reader.readuntil(b"\n")
                if line.startswith(b"data: "):
                    key = line.partition(b'"subject":"')[2].partition(b'"')[0]
                    self.heard[key] = self.heard.get(key, 0) + 1
                    if self.heard[key] == len(self._tasks):
                        self.whole_at[key] = time.monotonic()
        finally:
            writer.close()


async def measure(table: Table, followers: int, times: int) -> None:
    for service in ("catalog-api", "workflow"):
        async with served(service) as there:
            alone, small, large = [await _with(there, service, count) for count in (0, followers, followers * times)]
        said = (f"{followers} who follow", f"{followers * times}")

        def row(
            what: str,
            of: tuple[str, str],
            verdict: str,
            service: str = service,
            said: tuple[str, str] = said,
        ) -> None:
            table.add(Row(f"{service}: {what}", f"{of[0]} with {said[0]}, {of[1]} with {said[1]}", verdict))

        each = [
            (with_.changes.middle.whole - alone.changes.middle.whole) / count
            for with_, count in ((small, followers), (large, followers * times))
        ]
        row(
            "a change",
            (str(small.changes), str(large.changes)),
            f"{alone.changes.middle} with none; for each who follows {each[0]:.3f} and {each[1]:.3f} ms: "
            f"{grown(each[0], each[1])}",
        )
        row("a second without changes", (str(small.idle), str(large.idle)), f"{alone.idle} with none")
        late = [f"{median(w.slowest):.2f} s ({min(w.slowest):.2f}-{max(w.slowest):.2f})" for w in (small, large)]
        row("the last of all has a change after", (late[0], late[1]), "by the clock, beside whatever else goes on")
        more_kb = (large.memory_mb - small.memory_mb) * 1024 / (followers * (times - 1))
        row(
            "memory",
            (f"{small.memory_mb:.0f} MB", f"{large.memory_mb:.0f} MB"),
            f"{more_kb:.0f} KB for each who follows",
        )


@asynccontextmanager
async def served(service: str, **more: str) -> AsyncIterator[Served]:
    """As it runs, with a Postgres and a broker of its own."""
    package = {"catalog-api": "assent_catalog", "workflow": "assent_workflow"}[service]
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="assent-bench-"))
        kafka = stack.enter_context(broker.embedded())
        postgres: Postgres = await stack.enter_async_context(embedded(Path(folder) / "postgres"))
        await postgres.create_database("bench")
        database = Database(postgres.url("bench"), service=service, clock=SystemClock())
        stack.push_async_callback(database.close)
        await migrations.upgrade(database, package)
        port = free_port()
        environment = {
            "ASSENT_DATABASE_URL": postgres.plain_url("bench"),
            "ASSENT_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
            "ASSENT_PORT": str(port),
            "ASSENT_LOG_LEVEL": "WARNING",
            "ASSENT_SERVICE_TOKENS": json.dumps({"bench": hashlib.sha256(TOKEN.encode()).hexdigest()}),
            **more,
        }
        started = await stack.enter_async_context(process([f"{package}.main"], environment))
        await until(lambda: asyncio.to_thread(healthy, port, "ready"), within_s=300)
        yield Served(port, psutil.Process(started.pid), database)


async def changed(there: Served, service: str) -> bytes:
    """Something happens; the key of what it happened to."""
    id_ = ids.new()
    now = there.database.clock.now()
    topic: Topic
    payload: Payload
    if service == "catalog-api":
        topic, type_ = CATALOG, "assent.catalog.model_version.changed.v1"
        payload = ModelVersionChanged(
            id=id_,
            urn=f"arn:aws:sagemaker:eu-central-1:123456789012:model-package/churn/{id_}",
            source="bench",
            name="churn",
            status=ModelVersionStatus.REGISTERED,
            metrics=dict.fromkeys(("accuracy", "precision", "recall", "f1", "auc"), 0.9),
            metrics_status="complete",
            source_status="Completed",
            content_hash="sha256:1",
            created_at=now,
        )
    else:
        topic, type_ = GOVERNANCE, "assent.governance.candidacy.changed.v1"
        payload = CandidacyChanged(
            id=id_,
            use_case="retention",
            use_case_id=id_,
            model_version="arn:aws:sagemaker:eu-central-1:123456789012:model-package/churn/1",
            status=CandidacyStatus.CANDIDATE,
            put_forward_by="ada",
            changed_by="ada",
            changed_at=now,
        )
    async with there.database.transaction() as uow:
        uow.emit(topic, type_, str(id_), 1, payload)
    return str(id_).encode()


async def _with(there: Served, service: str, count: int) -> Measured:
    followers = Followers()
    await followers.come(there.port, count)
    try:
        meter = Meter(there.process)
        costs, slowest = [], []
        for round_ in range(ROUNDS + 1):
            keys: dict[bytes, float] = {}
            meter.read(1)
            for _ in range(CHANGES):
                keys[await changed(there, service)] = time.monotonic()
                await asyncio.sleep(EVERY_S)
            await _published(there.database)
            await followers.all_heard(list(keys))
            cost = meter.read(CHANGES)
            # The first warms up.
            if round_:
                costs.append(cost)
                slowest += [followers.whole_at[key] - at for key, at in keys.items() if count]
        meter.read(1)
        began = time.monotonic()
        await asyncio.sleep(IDLE_S)
        idle = meter.read(1)
        seconds = time.monotonic() - began
        return Measured(
            Costs(costs),
            Cost(idle.service / seconds, idle.postgres / seconds),
            slowest,
            there.process.memory_info().rss / 2**20,
        )
    finally:
        await followers.go()


async def _published(database: Database) -> None:
    async def none_left() -> bool:
        async with database.connection() as connection:
            return not await connection.fetchval("select exists (select from outbox where published_at is null)")

    await until(none_left, within_s=600)
