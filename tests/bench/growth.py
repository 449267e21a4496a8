"""`make bench-growth`: what things cost with ten times as much, and what bends first.

Ten times as much data: the same questions, one after the other, of the catalogue's service and of the gate. Ten times
as many sources, as many followers of a service's events, as many webhooks: what a poll costs, what a change and what a
delivery. Measured by the processors' time, of the service and of Postgres, which holds beside other work: what costs as
much as before does not grow.
"""

import argparse
import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import uvloop

from tests.bench import growth_followers, growth_sources, growth_webhooks
from tests.bench.catalog import ROLE, Catalog
from tests.bench.clients import ask
from tests.bench.cost import Costs, Meter, grown
from tests.bench.gate import filled
from tests.bench.overload import listener
from tests.bench.report import Row, Table, written_whole

PARTS = ("data", "sources", "followers", "webhooks")
TIMES = 10
ROUNDS = 3
READS = {
    "GET by id": "/v1/model-versions/{id}",
    "GET by id, as of a moment": "/v1/model-versions/{id}?as_of=2026-11-01T00:00:00Z",
    "a list of 100": "/v1/model-versions?limit=100",
    "the accepted of one framework": "/v1/model-versions?status=accepted&framework=XGBOOST&limit=50",
    "by a metric": "/v1/model-versions?metric=accuracy>=0.99&limit=50",
    "a narrow search": "/v1/search?q=team-{team}&limit=20",
    "a broad search with facets": "/v1/model-versions?q=churn&facets=status,type,source",
}


OfThese = dict[str, Costs]


async def of_the_catalogue(versions: int, requests: int) -> OfThese:
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


async def of_the_gate(candidacies: int, requests: int) -> OfThese:
    async with filled(candidacies) as bench, bench.gate() as port:
        ways = {"the gate, by ARN": "model_version", "the gate, by artifact digest": "artifact_digest"}
        return {way: await _cost(port, bench.questions(name), requests) for way, name in ways.items()}


async def _cost(port: int, requests: Sequence[bytes], count: int) -> Costs:
    """Of some rounds, after one that warms up."""
    meter = Meter(listener(port))
    stream = await asyncio.open_connection("127.0.0.1", port)
    costs = []
    for round_ in range(ROUNDS + 1):
        for number in range(count):
            head = await ask(stream, requests[(round_ * count + number) % len(requests)])
            assert head.startswith(b"HTTP/1.1 200"), head
        costs.append(meter.read(count))
    stream[1].close()
    return Costs(costs[1:])


def _get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: b\r\nAuthorization: Bearer {ROLE}\r\n\r\n".encode()


async def of_data(table: Table, size: int, requests: int) -> None:
    for measured in (of_the_catalogue, of_the_gate):
        small, large = await measured(size, requests), await measured(size * TIMES, requests)
        for what, cost in small.items():
            said = f"{cost} beside {size:,}, {large[what]} beside {size * TIMES:,}"
            table.add(Row(what, said, grown(cost.middle.whole, large[what].middle.whole)))


async def run(given: argparse.Namespace) -> None:
    table = Table("bench-growth", "Growth")
    parts: dict[str, Callable[[], Awaitable[None]]] = {
        "data": lambda: of_data(table, given.size, given.requests),
        "sources": lambda: growth_sources.measure(table, given.sources, TIMES, given.versions),
        "followers": lambda: growth_followers.measure(table, given.followers, TIMES),
        "webhooks": lambda: growth_webhooks.measure(table, given.webhooks, TIMES),
    }
    for part in given.parts:
        await parts[part]()
    if given.write is not None:
        table.write(given.write)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=20_000, help="Versions and candidacies, and then ten times as many")
    parser.add_argument("--requests", type=int, default=200, help="Of each round")
    parser.add_argument("--sources", type=int, default=10)
    parser.add_argument("--versions", type=int, default=200, help="In each source")
    parser.add_argument("--followers", type=int, default=50, help="Ten times as many is the most that a service bears")
    parser.add_argument("--webhooks", type=int, default=10)
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=PARTS)
    parser.add_argument("--write", type=Path, default=None, help="The Markdown page that keeps the table")
    given = parser.parse_args()
    written_whole(parser, given, PARTS)
    uvloop.run(run(given))


if __name__ == "__main__":
    main()
