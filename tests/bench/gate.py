"""`make bench-gate`: the gate, whole, beside a bare route in the same run.

A real Postgres with so many candidacies, a third of them accepted; the workflow service as it runs in production, with
its duties, its key and its log of questions. 200 questions a second come whatever becomes of those before (open loop).
The floor: FastAPI, asyncpg, one statement that reads a status.
"""

import argparse
import asyncio
import hashlib
import json
import os
import secrets
import sys
import tempfile
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from statistics import median

import uvloop
from assent_common import migrations
from assent_common.clock import SystemClock
from assent_common.database import Database
from assent_common.probe import healthy
from assent_local import broker
from assent_local.ports import free_port
from assent_local.postgres import Postgres

from tests.bench.clients import Load, at_rate
from tests.bench.report import Row, Table
from tests.support.wait import until

TOKEN = secrets.token_hex(16)
RATE = 200.0
SEED = """
with numbered as (
    select n, 'arn:aws:sagemaker:eu-central-1:123456789012:model-package/model-' || n % 20000 || '/' || n as urn,
           jsonb_build_object('metrics', jsonb_build_object('accuracy', 0.9)) as content,
           jsonb_build_object('uri', 's3://models/' || n, 'digest', 'sha256:' || md5('d' || n)) as artifact
      from generate_series($1::int, $2::int) n),
versions as (
    insert into model_versions (urn, id, source, live, created_at, content_hash, content, record, sequence)
    select urn, md5(urn)::uuid, 'source-' || n % 40, true, '2026-01-01', 'sha256:' || n, content,
           jsonb_build_object('artifacts', jsonb_build_array(artifact), 'image', 'xgboost:1.7', 'name', 'model'), 1
      from numbered)
insert into candidacies (id, use_case_id, use_case, model_version, version_created_at, status, content_hash,
                         put_forward_by, put_forward_by_issuer, created_at, changed_by, changed_at, expires_at,
                         sequence)
select md5('c' || n)::uuid, md5('u' || n % 10000)::uuid, 'use-case-' || n % 10000, urn, '2026-01-01',
       (array['accepted', 'suspended', 'rejected'])[1 + n % 3], 'sha256:' || n, 'ada', 'issuer', now(), 'ada', now(),
       now() + interval '1 year', 1
  from numbered
"""


class Bench:
    """The workflow's database with its candidacies, and servers on it."""

    def __init__(self, postgres: Postgres, kafka: str, candidacies: int) -> None:
        self._postgres = postgres
        self._kafka = kafka
        self.candidacies = candidacies

    async def sow(self) -> None:
        database = Database(self._postgres.url("workflow"), service="workflow", clock=SystemClock())
        try:
            await migrations.upgrade(database, "assent_workflow")
            async with database.connection() as connection:
                for first in range(1, self.candidacies + 1, 50_000):
                    await connection.execute(SEED, first, min(first + 49_999, self.candidacies))
                await connection.execute("vacuum analyze")
                # What was sown goes to the disk before anything is measured, not meanwhile.
                await connection.execute("checkpoint")
        finally:
            await database.close()

    @asynccontextmanager
    async def gate(self, **more: str) -> AsyncIterator[int]:
        port = free_port()
        environment = {
            "ASSENT_DATABASE_URL": self._postgres.plain_url("workflow"),
            "ASSENT_KAFKA_BOOTSTRAP_SERVERS": self._kafka,
            "ASSENT_PORT": str(port),
            "ASSENT_LOG_LEVEL": "WARNING",
            "ASSENT_SIGNING_KEY": secrets.token_hex(32),
            "ASSENT_SERVICE_TOKENS": json.dumps({"bench": sha256(TOKEN.encode()).hexdigest()}),
            **more,
        }
        async with process(["assent_workflow.main"], environment):
            await until(lambda: asyncio.to_thread(healthy, port, "ready"), within_s=60)
            yield port

    @asynccontextmanager
    async def bare(self) -> AsyncIterator[int]:
        port = free_port()
        environment = {"ASSENT_DATABASE_URL": self._postgres.plain_url("workflow")}
        async with process(["tests.bench.bare", str(port)], environment):
            await until(lambda: listens(port), within_s=60)
            yield port

    def questions(self, *names: str) -> list[bytes]:
        """Of versions from all over the table, two thirds of which are denied."""
        asked = []
        for index in range(1, 2000):
            n = 1 + index * 499_979 % self.candidacies
            named = {
                "model_version": f"arn:aws:sagemaker:eu-central-1:123456789012:model-package/model-{n % 20000}/{n}",
                "artifact_digest": f"sha256:{_md5(f'd{n}')}",
            }
            question = {name: named[name] for name in names} | {"use_case": f"use-case-{n % 10000}"}
            body = json.dumps(question).encode()
            head = f"POST /v1/gate HTTP/1.1\r\nHost: b\r\nAuthorization: Bearer {TOKEN}\r\n"
            kind = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            asked.append((head + kind).encode() + body)
        return asked


async def measure(bench: Bench, table: Table, *, seconds: float, repeat: int) -> None:
    plain = bench.questions("model_version")
    ways = {"by ARN": plain, "by ARN and artifact digest": bench.questions("model_version", "artifact_digest")}
    ways["by artifact digest alone"] = bench.questions("artifact_digest")
    floors: list[Load] = []
    ours: dict[str, list[Load]] = {way: [] for way in ways}
    async with bench.gate() as gate, bench.bare() as bare:
        for port, requests in ((bare, plain), *((gate, requests) for requests in ways.values())):
            await at_rate(port, requests, rate=RATE, seconds=2)
        for _ in range(repeat):
            floors.append(await at_rate(bare, plain, rate=RATE, seconds=seconds))
            for way, requests in ways.items():
                ours[way].append(await at_rate(gate, requests, rate=RATE, seconds=seconds))
    floor = median(load.p99 for load in floors)
    table.add(Row(f"bare route, {RATE:.0f}/s beside {bench.candidacies:,} candidacies", _said(floors), "the floor"))
    for way, loads in ours.items():
        ratio = median(load.p99 for load in loads) / floor
        table.add(Row(f"the gate, {way}, signed and kept", _said(loads), f"p99 < 5 ms; {ratio:.1f} x bare"))


def _said(loads: Sequence[Load]) -> str:
    p99 = sorted(load.p99 for load in loads)
    said = f"p50 {median(load.p50 for load in loads):.1f} ms, p99 {median(p99):.1f} ms ({p99[0]:.1f}-{p99[-1]:.1f})"
    refused, asked = sum(load.refused for load in loads), sum(load.requests + load.refused for load in loads)
    return f"{said}; {refused:,} of {asked:,} told to come again" if refused else said


@asynccontextmanager
async def process(module: Sequence[str], environment: Mapping[str, str]) -> AsyncIterator[Process]:
    started = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", *module), env={**os.environ, **environment}, stdout=DEVNULL
    )
    try:
        yield started
    finally:
        started.terminate()
        await started.wait()


async def listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


@asynccontextmanager
async def filled(candidacies: int) -> AsyncIterator[Bench]:
    """With a Postgres and a broker of its own."""
    with tempfile.TemporaryDirectory(prefix="assent-bench-") as folder, broker.embedded() as kafka:
        postgres = Postgres(Path(folder) / "postgres", free_port(), durable=True)
        await postgres.start()
        try:
            await postgres.create_database("workflow")
            bench = Bench(postgres, kafka.bootstrap_servers, candidacies)
            await bench.sow()
            yield bench
        finally:
            await postgres.kill()


async def run(candidacies: int, seconds: float, repeat: int, write_to: Path | None) -> None:
    table = Table("bench-gate", "The gate")
    async with filled(candidacies) as bench:
        await measure(bench, table, seconds=seconds, repeat=repeat)
    if write_to is not None:
        table.write(write_to)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--candidacies", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=15, help="Of each load")
    parser.add_argument("--repeat", type=int, default=3, help="Of which the median counts")
    parser.add_argument("--write", type=Path, default=None, help="The Markdown page that keeps the table")
    given = parser.parse_args()
    uvloop.run(run(given.candidacies, given.seconds, given.repeat, given.write))


if __name__ == "__main__":
    main()
