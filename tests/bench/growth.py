"""`make bench-growth`: what an answer costs with ten times as much beside it, and what bends first.

The same questions, one after the other, of the catalogue's service and of the gate, beside so many versions and
candidacies, and then beside ten times as many. Measured by the processors' time, of the service and of Postgres, which
holds beside other work: what costs as much as before does not grow.
"""

import argparse
import asyncio
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

import uvloop

from tests.bench.applying import postgres_s
from tests.bench.catalog import ROLE, Catalog
from tests.bench.gate import filled
from tests.bench.http import ask
from tests.bench.overload import listener, used_s
from tests.bench.report import Row, Table

TIMES = 10
ROUNDS = 3
#: What grows by so much bends.
BENDS = 1.5
READS = {
    "GET by id": "/v1/model-versions/{id}",
    "GET by id, as of a moment": "/v1/model-versions/{id}?as_of=2026-11-01T00:00:00Z",
    "a list of 100": "/v1/model-versions?limit=100",
    "the accepted of one framework": "/v1/model-versions?status=accepted&framework=XGBOOST&limit=50",
    "by a metric": "/v1/model-versions?metric=accuracy>=0.99&limit=50",
    "a narrow search": "/v1/search?q=team-{team}&limit=20",
    "a broad search with facets": "/v1/model-versions?q=churn&facets=status,type,source",
}


class Cost(NamedTuple):
    """For one answer, in milliseconds of a processor."""

    service: float
    postgres: float

    @property
    def whole(self) -> float:
        return self.service + self.postgres

    def __str__(self) -> str:
        return f"{self.whole:.2f} ms (service {self.service:.2f}, Postgres {self.postgres:.2f})"


Costs = dict[str, Cost]


async def of_the_catalogue(versions: int, requests: int) -> Costs:
    async with Catalog.open(None) as catalog:
        await catalog.sow(versions)
        async with catalog.database.connection() as connection:
            rows = await connection.fetch("select id::text from model_versions order by id limit 500")
        ids = [row["id"] for row in rows]
        async with catalog.served("tests.contract.served", "catalog-api") as (port, _):
            costs = {}
            for what, path in READS.items():
                paths = [path.format(id=id_, team=number % 300) for number, id_ in enumerate(ids)]
                costs[what] = await _cost(port, [_get(each) for each in paths], requests)
            return costs


async def of_the_gate(candidacies: int, requests: int) -> Costs:
    async with filled(candidacies) as bench, bench.gate() as port:
        ways = {"the gate, by ARN": "model_version", "the gate, by artifact digest": "artifact_digest"}
        return {way: await _cost(port, bench.questions(name), requests) for way, name in ways.items()}


async def _cost(port: int, requests: Sequence[bytes], count: int) -> Cost:
    """The median of some rounds, after one that warms up."""
    server = listener(port)
    stream = await asyncio.open_connection("127.0.0.1", port)
    costs = []
    for round_ in range(ROUNDS + 1):
        before = used_s(server), postgres_s()
        for number in range(count):
            head = await ask(stream, requests[(round_ * count + number) % len(requests)])
            assert head.startswith(b"HTTP/1.1 200"), head
        costs.append(Cost((used_s(server) - before[0]) / count * 1e3, (postgres_s() - before[1]) / count * 1e3))
    stream[1].close()
    return Cost(median(cost.service for cost in costs[1:]), median(cost.postgres for cost in costs[1:]))


def _get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: b\r\nAuthorization: Bearer {ROLE}\r\n\r\n".encode()


async def run(size: int, requests: int, write_to: Path | None) -> None:
    table = Table("bench-growth", "Growth")
    for measured in (of_the_catalogue, of_the_gate):
        small, large = await measured(size, requests), await measured(size * TIMES, requests)
        for what, cost in small.items():
            times = large[what].whole / cost.whole
            beside = f"{times:.1f} x" + (": bends" if times > BENDS else "")
            table.add(Row(what, f"{cost} beside {size:,}, {large[what]} beside {size * TIMES:,}", beside))
    if write_to is not None:
        table.write(write_to)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=100_000, help="And then ten times as many")
    parser.add_argument("--requests", type=int, default=200, help="Of each round")
    parser.add_argument("--write", type=Path, default=None, help="The Markdown page that keeps the table")
    given = parser.parse_args()
    uvloop.run(run(given.size, given.requests, given.write))


if __name__ == "__main__":
    main()
