"""`make bench-catalog`: the catalogue beside its floors in the same run.

A real Postgres with so many versions, a real Apache Kafka, the service behind a real server. Floors: raw consumption
and `COPY` into the same tables, a bare FastAPI route with one asyncpg statement, the bare query, `COPY TO`.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
from assent_catalog import search
from assent_common import migrations, service
from assent_common.clock import SystemClock
from assent_common.database import Database
from assent_local.ports import free_port
from assent_local.postgres import Postgres, embedded

from tests.bench import clients
from tests.bench.applying import NAMES, applied, broker
from tests.bench.mlflow import beside_mlflow
from tests.bench.report import Row, Table, written_whole
from tests.support.wait import until

ROLE = "viewer"
PARTS = ("answered", "searched", "mlflow", "applied")
SEED = f"""
insert into model_versions (id, urn, source, model, model_id, name, version, description, type, framework, algorithm,
                            source_status, source_approval_status, metrics_status, content_hash, created_at, live,
                            record, search, sequence, status, candidacies, changed_sequence, changed_at)
select md5('v' || n)::uuid, 'arn:aws:sagemaker:eu-central-1:123456789012:model-package/' || name || '/' || n,
       'source-' || n % 40, 'arn:aws:sagemaker:eu-central-1:123456789012:model-package-group/' || name,
       md5(name)::uuid, name, n, description, (array['binary_classification', 'regression', 'forecasting'])[1 + n % 3],
       (array['XGBOOST', 'SKLEARN', 'PYTORCH', 'TENSORFLOW'])[1 + n % 4], (array['xgboost', 'linear'])[1 + n % 2],
       'Completed', 'PendingManualApproval', 'complete', 'sha256:' || n,
       '2026-01-01'::timestamptz + n * interval '1 second', true,
       jsonb_build_object('description', description, 'tags', jsonb_build_object('team', 'team-' || n % 300),
                          'metrics', jsonb_build_object('accuracy', jsonb_build_object('value', accuracy))),
       to_tsvector('simple', concat_ws(' ', words, n % 20000, 'candidate', n, 'of team', n % 300)),
       1, case when n % 50 = 0 then 'accepted' else 'registered' end,
       case when n % 50 = 0 then jsonb_build_object('use-case-' || n % 10000, 'accepted') else '{{}}' end, 1, now()
  from (select n, (array[{", ".join(f"'{name}'" for name in NAMES)}])[1 + n % 8] || '-' || n % 20000 as name,
               (array[{", ".join(f"'{search.indexed([name])}'" for name in NAMES)}])[1 + n % 8] as words,
               'Candidate ' || n || ' of team-' || n % 300 as description, (n % 1000) / 1000.0 as accuracy
          from generate_series($1::int, $2::int) n) s
"""
SEED_METRICS = """
insert into metrics (model_version, name, value, kind, created_at)
select id, 'accuracy', (record->'metrics'->'accuracy'->>'value')::float8, 'measured', created_at from model_versions
"""
SEED_HISTORY = """
insert into model_version_history (urn, sequence, at, state) select urn, 1, created_at, record || jsonb_build_object(
    'name', name, 'source', source, 'version', version, 'created_at', created_at, 'source_status', source_status,
    'metrics_status', metrics_status, 'content_hash', content_hash, 'framework', framework) from model_versions
"""
SEED_USE_CASES = """
insert into use_cases (id, key, name, stage, facets, created_at, created_by, modified_at, modified_by, search, sequence)
select md5('u' || n)::uuid, 'use-case-' || n, 'Use case ' || n, 'development', '{}', now(), 'b', now(), 'b',
       to_tsvector('simple', 'use case ' || n || ' use-case-' || n), 1
  from generate_series(0, 9999) n
"""


class Catalog:
    """The catalogue's database, and servers on it."""

    def __init__(self, postgres: Postgres, database: Database) -> None:
        self.postgres = postgres
        self.database = database

    @classmethod
    @asynccontextmanager
    async def open(cls, kept: Path | None) -> "AsyncIterator[Catalog]":
        with tempfile.TemporaryDirectory(prefix="assent-bench-") as folder:
            async with embedded((kept or Path(folder)) / "postgres") as postgres:
                await postgres.create_database("catalog")
                database = Database(postgres.url("catalog"), service="catalog-api", clock=SystemClock())
                await migrations.upgrade(database, "assent_catalog")
                yield cls(postgres, database)
                await database.close()

    async def sow(self, versions: int) -> None:
        """Nothing where so many are there already."""
        async with self.database.connection() as connection:
            there = await connection.fetchval("select count(*) from model_versions where source <> 'bench'")
            if there == versions:
                return
            if there:
                raise SystemExit(f"the folder holds {there:,} versions, not {versions:,}: take another")
            for first in range(1, versions + 1, 50_000):
                await connection.execute(SEED, first, min(first + 49_999, versions))
            for statement in (SEED_METRICS, SEED_HISTORY, SEED_USE_CASES):
                await connection.execute(statement)
            await connection.execute("vacuum analyze")

    @asynccontextmanager
    async def served(self, *command: str, plain: bool = False) -> "AsyncIterator[tuple[int, Process]]":
        port = free_port()
        url = self.postgres.plain_url("catalog") if plain else self.postgres.url("catalog")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", *command, str(port)), env={**os.environ, "ASSENT_DATABASE_URL": url}, stdout=DEVNULL
        )

        async def listens() -> bool:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                return False
            writer.close()
            return True

        try:
            await until(listens, within_s=60)
            yield port, process
        finally:
            process.kill()
            await process.wait()


async def answered(catalog: Catalog, table: Table, versions: int, seconds: float) -> None:
    one = [f"/v1/model-versions/{await _id(catalog, number)}" for number in range(1, versions, max(1, versions // 500))]
    hundred = ["/v1/model-versions?limit=100"]
    async with catalog.served("tests.bench.bare", plain=True) as (port, _):
        bare = await clients.at_once(port, one, token=ROLE, clients=16, seconds=seconds)
        bare_list = await clients.at_once(port, hundred, token=ROLE, clients=16, seconds=seconds)
    async with catalog.served("tests.contract.served", "catalog-api") as (port, process):
        ours = await clients.at_once(port, one, token=ROLE, clients=16, seconds=seconds)
        table.add(
            Row(
                "GET by id, 16 clients",
                str(ours),
                f"{ours.a_second / bare.a_second:.0%} of bare ({bare}); goal 70 %",
            )
        )
        listed = await clients.at_once(port, hundred, token=ROLE, clients=16, seconds=seconds)
        beside = f"{bare_list.a_second / listed.a_second:.1f} x the bare query's time; goal 2"
        table.add(Row("a list of 100, 16 clients", str(listed), beside))
        now = await clients.at_once(port, one, token=ROLE, clients=4, seconds=seconds)
        then = [f"{path}?as_of=2026-11-01T00:00:00Z" for path in one]
        as_of = await clients.at_once(port, then, token=ROLE, clients=4, seconds=seconds)
        table.add(Row("as of a moment, 4 clients", str(as_of), f"{as_of.p50 / now.p50:.1f} x now; goal 2"))
        await exported(catalog, table, versions, port, process)


async def searched(catalog: Catalog, table: Table, versions: int, seconds: float) -> None:
    """Broad and narrow queries, mixed: three times, for what matters is the slowest of a hundred."""
    mixed = [
        *("/v1/model-versions?q=churn&facets=status,type,source", "/v1/model-versions?facets=status,framework"),
        *(f"/v1/model-versions?q=team-{n}&facets=status,type" for n in range(20)),
        *(f"/v1/model-versions?q=fraud-{n}&facets=status" for n in range(20)),
        *("/v1/model-versions?metric=accuracy>=0.99&framework=XGBOOST&facets=source", "/v1/search?q=pricing-77"),
        "/v1/model-versions?status=accepted&facets=type&sort=-modified_at",
    ]
    async with catalog.served("tests.contract.served", "catalog-api") as (port, _):
        for _ in range(3):
            found = await clients.at_once(port, mixed, token=ROLE, clients=16, seconds=seconds)
            table.add(Row(f"search with facets over {versions:,}, 16 clients", str(found), "goal: p99 under 50 ms"))


async def exported(catalog: Catalog, table: Table, versions: int, port: int, process: Process) -> None:
    memory = psutil.Process(process.pid)
    before = memory.memory_info().rss
    peak = before
    began = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"GET /v1/exports/model-versions HTTP/1.1\r\nHost: b\r\nConnection: close\r\nAuthorization: Bearer {ROLE}"
    writer.write(f"{head}\r\n\r\n".encode())
    read = 0
    while chunk := await reader.read(1 << 20):
        read += len(chunk)
        peak = max(peak, memory.memory_info().rss)
    ours = time.perf_counter() - began
    async with catalog.database.connection() as connection:

        async def drop(_: bytes) -> None:
            return None

        began = time.perf_counter()
        await connection.copy_from_query("select * from model_versions", output=drop, format="csv")
        floor = time.perf_counter() - began
    table.add(
        Row(
            f"export of {versions:,} as CSV ({read / 1e6:.0f} MB)",
            f"{versions / ours:,.0f} rows a second, {(peak - before) / 1e6:.0f} MB more memory",
            f"{floor / ours:.0%} of COPY TO; goal 25 %",
        )
    )


async def _id(catalog: Catalog, number: int) -> str:
    async with catalog.database.connection() as connection:
        return str(await connection.fetchval("select md5('v' || $1::int)::uuid", number))


async def beside_kafka(catalog: Catalog, table: Table) -> None:
    service.collect_seldom()
    async with broker() as kafka:
        await applied(catalog.database, kafka, table, count=20_000, repeat=3, profile=False)


async def bench(
    versions: int, seconds: float, parts: Sequence[str], kept: Path | None, mlflow: str | None, write_to: Path | None
) -> None:
    table = Table("bench-catalog", "The catalogue")
    async with Catalog.open(kept) as catalog:
        await catalog.sow(versions)
        measurements: dict[str, Callable[[], Awaitable[None]]] = {
            "answered": lambda: answered(catalog, table, versions, seconds),
            "searched": lambda: searched(catalog, table, versions, seconds),
            "mlflow": lambda: beside_mlflow(catalog.postgres, table, versions, seconds, mlflow),
            "applied": lambda: beside_kafka(catalog, table),
        }
        for part in parts:
            await measurements[part]()
    if write_to is not None:
        table.write(write_to)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--versions", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=10, help="Of load for each measurement")
    parser.add_argument("--write", type=Path, default=None, help="The Markdown page that keeps the table")
    parser.add_argument("--folder", type=Path, default=None, help="Keep the filled database there, and use it again")
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=PARTS)
    parser.add_argument("--mlflow", default=None, help="The `mlflow` command; by default what is on the path, if any")
    given = parser.parse_args()
    written_whole(parser, given, PARTS)
    asyncio.run(bench(given.versions, given.seconds, given.parts, given.folder, given.mlflow, given.write))


if __name__ == "__main__":
    main()
