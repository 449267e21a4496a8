"""`python -m tests.prove.a_million`: T8 to its end. A million events come again, and a million are told again.

The catalogue's service as it runs, on a real Postgres and a real Apache Kafka, and nothing beside it. What it knows
already changes no row, and neither way does its memory grow with how many they are.
"""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import asyncpg
import httpx
import psutil
import typer
from aiokafka import AIOKafkaProducer
from assent_common import http_client, telemetry
from assent_common.events import envelope
from assent_common.kafka import topics
from assent_common.kafka.connection import ensure_topics, options
from assent_common.outbox.replay import replay
from assent_common.settings import Settings
from assent_local.ports import free_port
from assent_local.postgres import Postgres
from pydantic import SecretStr

from tests.bench.applying import an_event, broker
from tests.bench.gate import process
from tests.bench.report import Row, Table
from tests.support.wait import until

MAY_GROW_MB = 50.0
WITHIN_S = 3600.0
#: Whatever is written to a row makes another of it.
AS_IT_STANDS = "select count(*) as rows, sum(hashtext(ctid::text || xmin::text)) as versions from model_versions"


def main(
    events: Annotated[int, typer.Option(help="That come again, and that are told again.")] = 1_000_000,
    entities: Annotated[int, typer.Option(help="Of which they tell.")] = 20_000,
    write: Annotated[Path | None, typer.Option(help="The page whose table is written anew.")] = None,
) -> None:
    """Exit 1 if a row was written, or the memory grew."""
    telemetry.configure("a-million", "ERROR")
    table = Table("a-million", "A million events")
    wrong = asyncio.run(_tried(events // entities * entities, entities, table))
    if write is not None:
        table.write(write)
    for why in wrong:
        print(f"BROKEN {why}", flush=True)  # noqa: T201 - for who waits
    sys.exit(1 if wrong else 0)


async def _tried(events: int, entities: int, table: Table) -> list[str]:
    wrong = []
    async with _a_catalogue() as catalogue:
        told = _bodies(entities)
        await catalogue.hears(told, times=1)
        # Once more, so that what is remembered of them is, before it is measured.
        await catalogue.hears(told, times=1)
        before = await catalogue.stands()
        assert before["rows"] == entities
        with catalogue.watched() as heard:
            await catalogue.hears(told, times=events // entities)
        table.add(heard.row(f"{events:,} events of {entities:,} versions come again", events))
        if await catalogue.stands() != before:
            wrong.append("what was known already changed rows")
        await catalogue.tells_again(entities)
        with catalogue.watched() as said:
            for _ in range(events // entities):
                await catalogue.tells_again(entities)
        table.add(said.row(f"{events:,} events of {entities:,} versions are told again", events))
        if await catalogue.stands() != before:
            wrong.append("to tell it again changed rows")
        wrong += [f"its memory grew by {each.grew:.0f} MB" for each in (heard, said) if each.grew > MAY_GROW_MB]
    return wrong


class Watched:
    """What a process holds while something goes on, at most."""

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self.highest = 0.0

    def __enter__(self) -> "Watched":
        self._began, self._cpu_s, self._first = time.perf_counter(), self._used_s(), self._held()
        self._watching = asyncio.create_task(self._watch())
        return self

    def __exit__(self, *_: object) -> None:
        self._watching.cancel()
        self._took, self._cpu_s = time.perf_counter() - self._began, self._used_s() - self._cpu_s
        self.highest = max(self.highest, self._held())

    @property
    def grew(self) -> float:
        return self.highest - self._first

    def row(self, what: str, events: int) -> Row:
        measured = f"{events / self._took:,.0f} a second, {self._cpu_s / events * 1e6:.0f} µs of its CPU each"
        return Row(
            what, measured, f"{self._first:.0f} MB before, at most {self.highest:.0f} MB; goal + {MAY_GROW_MB:.0f}"
        )

    async def _watch(self) -> None:
        while True:
            self.highest = max(self.highest, self._held())
            await asyncio.sleep(0.5)

    def _held(self) -> float:
        return float(self._process.memory_info().rss) / 2**20

    def _used_s(self) -> float:
        return float(sum(self._process.cpu_times()[:2]))


class Catalogue:
    """A service, and those from whom it hears."""

    def __init__(self, process: psutil.Process, port: int, database_url: str, producer: AIOKafkaProducer) -> None:
        self._process = process
        self._port = port
        self._database_url = database_url
        self._producer = producer
        self._heard = 0.0
        self._http = http_client.create()

    def watched(self) -> Watched:
        return Watched(self._process)

    async def hears(self, bodies: Sequence[tuple[bytes, bytes]], times: int) -> None:
        """Returns once it has applied them all."""
        for _ in range(times):
            sent = [await self._producer.send(topics.REGISTRY.name, body, key=key) for key, body in bodies]
            await asyncio.gather(*sent)
        self._heard += len(bodies) * times
        await until(self._is_at_least("assent_consumer_records_total", self._heard), within_s=WITHIN_S)

    async def tells_again(self, entities: int) -> None:
        """Returns once the broker has them all."""
        connection = await asyncpg.connect(self._database_url)
        try:
            published = "select count(*) from outbox where published_at is null"
            await until(lambda: _is_none(connection, published), within_s=WITHIN_S)
            async with connection.transaction():
                assert await replay(connection, topics.CATALOG.name) == entities
            await until(lambda: _is_none(connection, published), within_s=WITHIN_S)
        finally:
            await connection.close()

    async def stands(self) -> dict[str, Any]:
        connection = await asyncpg.connect(self._database_url)
        try:
            return dict(await connection.fetchrow(AS_IT_STANDS))
        finally:
            await connection.close()

    async def close(self) -> None:
        await self._http.aclose()

    def _is_at_least(self, metric: str, wanted: float) -> Callable[[], Any]:
        async def is_there() -> bool:
            try:
                answer = await self._http.get(f"http://127.0.0.1:{self._port}/metrics")
            except httpx.HTTPError:
                return False
            lines = (line for line in answer.text.splitlines() if line.startswith(metric))
            return sum(float(line.rpartition(" ")[2]) for line in lines) >= wanted

        return is_there


async def _is_none(connection: asyncpg.Connection, count: str) -> bool:
    return not await connection.fetchval(count)


def _bodies(entities: int) -> list[tuple[bytes, bytes]]:
    """Key and value of an event of each."""
    events = (an_event(number) for number in range(entities))
    return [(event.subject.encode(), envelope.to_bytes(event)) for event in events]


@asynccontextmanager
async def _a_catalogue() -> AsyncIterator[Catalogue]:
    with tempfile.TemporaryDirectory(prefix="assent-prove-") as folder:
        os.chmod(folder, 0o755)  # noqa: S103 - Postgres does not run as root, and has to reach its disk
        postgres = Postgres(Path(folder) / "postgres", free_port(), durable=True)
        await postgres.start()
        try:
            await postgres.create_database("catalog")
            async with broker() as kafka:
                settings = Settings(
                    database_url=SecretStr("postgresql://unused"), kafka_bootstrap_servers=kafka, kafka_partitions=6
                )
                await ensure_topics(settings, [topics.REGISTRY])
                environment = {
                    "ASSENT_DATABASE_URL": postgres.plain_url("catalog"),
                    "ASSENT_KAFKA_BOOTSTRAP_SERVERS": kafka,
                    "ASSENT_KAFKA_PARTITIONS": "6",
                    "ASSENT_PORT": str(port := free_port()),
                    "ASSENT_LOG_LEVEL": "WARNING",
                }
                producer = AIOKafkaProducer(**options(settings, "a-million"), linger_ms=5, compression_type="gzip")
                await producer.start()
                try:
                    async with process(["assent_catalog.main"], environment) as started:
                        watched = psutil.Process(started.pid)
                        catalogue = Catalogue(watched, port, postgres.plain_url("catalog"), producer)
                        yield catalogue
                        await catalogue.close()
                finally:
                    await producer.stop()
        finally:
            await postgres.kill()


if __name__ == "__main__":
    typer.run(main)
