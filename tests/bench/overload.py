"""`make bench-overload`: three times as much is asked as can be done.

The peak is what clients get who each wait for an answer before they ask again. Then three times that rate comes,
whatever becomes of those before (open loop). Good is an answer of success within two seconds from when it was due; all
others have to be told 429 or 503, with `Retry-After`.
"""

import argparse
import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from statistics import median, quantiles

import psutil
import uvloop
from assent_local.ports import free_port

from tests.bench.catalog import Catalog
from tests.bench.clients import Requests, as_fast_as_can_be, ask, in_turn, when_due
from tests.bench.gate import filled, listens, process
from tests.bench.report import Row, Table, written_whole
from tests.support.wait import until

PARTS = ("refusal", "catalogue", "gate")
IN_TIME_S = 2.0
TIMES = 3
#: At once for the peak; as many as keep the service busy.
CLIENTS = 24
#: Above that a client of the open loop waits for a connection, as one behind a proxy does.
CONNECTIONS = 1000
#: Of which the cost of one is told.
REFUSALS = 24_000
#: Where the principals' quota would answer first, nothing would be known of the service.
TOKEN = "viewer"


@dataclass
class Came:
    """What came of a load."""

    seconds: float = 0.0
    #: Of the service's own process.
    cpu_s: float = 0.0
    good: int = 0
    late: int = 0
    refused: int = 0
    #: What is none of these, by its first line.
    wrong: Counter[str] = field(default_factory=Counter)
    took_ms: list[float] = field(default_factory=list)

    @property
    def goodput(self) -> float:
        return self.good / self.seconds

    @property
    def good_for_cpu(self) -> float:
        """For each second of its processor, so that others on the machine, this client among them, count for less."""
        return self.good / self.cpu_s

    @property
    def p99(self) -> float:
        return quantiles(self.took_ms, n=100)[98] if len(self.took_ms) > 1 else 0.0

    def take(self, head: bytes, seconds: float) -> None:
        status = int(head[9:12])
        if 200 <= status < 300:
            self.took_ms.append(seconds * 1000)
            if seconds <= IN_TIME_S:
                self.good += 1
            else:
                self.late += 1
        elif status in (429, 503) and b"\r\nretry-after:" in head.lower():
            self.refused += 1
        else:
            self.wrong[head.partition(b"\r\n")[0].decode()] += 1


async def peak(port: int, requests: Requests, seconds: float) -> Came:
    came = Came()
    came.seconds = await as_fast_as_can_be(port, requests, came.take, connections=CLIENTS, seconds=seconds)
    return came


async def flood(port: int, requests: Requests, rate: float, seconds: float, server: psutil.Process) -> Came:
    """In time counts from when it was due."""
    came = Came()
    before = used_s(server)
    came.seconds = await when_due(port, requests, came.take, connections=CONNECTIONS, rate=rate, seconds=seconds)
    came.cpu_s = used_s(server) - before
    return came


async def tried(what: str, port: int, requests: Requests, table: Table, seconds: float, repeat: int) -> None:
    shares, by_cpu, floods, peaks = [], [], [], []
    server = listener(port)
    for _ in range(repeat):
        before = used_s(server)
        highest = await peak(port, requests, seconds)
        assert not highest.wrong, highest.wrong
        highest.cpu_s = used_s(server) - before
        flooded = await flood(port, requests, TIMES * highest.goodput, seconds, server)
        by_cpu.append(flooded.good_for_cpu / highest.good_for_cpu)
        peaks.append(highest)
        floods.append(flooded)
        shares.append(flooded.goodput / highest.goodput)
    wrong = sum((each.wrong for each in floods), Counter[str]())
    asked = sum(each.good + each.late + each.refused + each.wrong.total() for each in floods)
    others = f"{sum(e.refused for e in floods) / asked:.0%} told to come again, {sum(e.late for e in floods)} late"
    table.add(
        Row(
            what,
            f"{median(shares):.0%} of the peak ({min(shares):.0%}-{max(shares):.0%}), "
            f"{median(by_cpu):.0%} by the service's CPU ({min(by_cpu):.0%}-{max(by_cpu):.0%}), "
            f"p99 {median(each.p99 for each in floods):.0f} ms; {others}"
            + (f"; WRONG: {dict(wrong)}" if wrong else ""),
            f"peak {median(each.goodput for each in peaks):,.0f}/s, p99 {median(each.p99 for each in peaks):.0f} ms; "
            "goal 80 %",
        )
    )


def listener(port: int) -> psutil.Process:
    listening = (
        each.pid for each in psutil.net_connections("tcp") if each.laddr and each.laddr.port == port and not each.raddr
    )
    return psutil.Process(next(pid for pid in listening if pid is not None))


def used_s(server: psutil.Process) -> float:
    return float(sum(server.cpu_times()[:2]))


async def catalogue(table: Table, versions: int, seconds: float, repeat: int) -> None:
    async with Catalog.open(None) as catalog:
        await catalog.sow(versions)
        async with catalog.database.connection() as connection:
            rows = await connection.fetch("select id::text from model_versions order by id limit 2000")
        ids = [row["id"] for row in rows]
        async with catalog.served("tests.contract.served", "catalog-api") as (port, _):
            reads = in_turn([_request("GET", f"/v1/model-versions/{id_}", TOKEN) for id_ in ids])
            await tried("catalogue: GET by id", port, reads, table, seconds, repeat)
            words = in_turn([_request("GET", f"/v1/search?q=team-{n}&limit=20", TOKEN) for n in range(300)])
            await tried("catalogue: search", port, words, table, seconds, repeat)
            await tried("catalogue: POST a use case", port, _use_cases(), table, seconds, repeat)


async def gate(table: Table, candidacies: int, seconds: float, repeat: int) -> None:
    async with filled(candidacies) as bench, bench.gate(ASSENT_REQUESTS_A_MINUTE="100000000") as port:
        await tried("gate", port, in_turn(bench.questions("model_version")), table, seconds, repeat)


async def refusal(table: Table, repeat: int) -> None:
    """By the processor's time, which holds beside other work: what is left when nothing else is done."""
    costs: dict[str, list[float]] = {"ours": [], "bare": []}
    for which, took in costs.items():
        port = free_port()
        async with process(["tests.bench.refusing", which, str(port)], {}) as started:
            await until(lambda port=port: listens(port), within_s=60)  # type: ignore[misc]
            server = psutil.Process(started.pid)
            for _ in range(repeat):
                before = used_s(server)
                await _turned_away(port, REFUSALS)
                took.append((used_s(server) - before) / REFUSALS * 1e6)
    ours, bare = costs["ours"], costs["bare"]
    table.add(
        Row(
            "to turn somebody away",
            f"{median(ours):.0f} µs of the service's CPU ({min(ours):.0f}-{max(ours):.0f})",
            f"a server that only says so: {median(bare):.0f} µs ({min(bare):.0f}-{max(bare):.0f})",
        )
    )


async def _turned_away(port: int, times: int) -> None:
    request = _request("GET", "/v1/model-versions/01980000-0000-7000-8000-000000000000", "x" * 800)

    async def client() -> None:
        stream = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(times // CLIENTS):
            head = await ask(stream, request)
            assert head.startswith(b"HTTP/1.1 503"), head
        stream[1].close()

    async with asyncio.TaskGroup() as tasks:
        for _ in range(CLIENTS):
            tasks.create_task(client())


def _use_cases() -> Requests:
    """A new one with each request: it commits, with an event and an audit record."""
    numbers = count()

    def request() -> bytes:
        body = json.dumps({"key": f"flood-{next(numbers)}", "name": "A use case of many"}).encode()
        return _request("POST", "/v1/use-cases", "business_owner", body)

    return request


def _request(method: str, path: str, token: str, body: bytes = b"") -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: b\r\nAuthorization: Bearer {token}\r\n"
    kind = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
    return f"{head}{kind}\r\n".encode() + body


async def run(versions: int, seconds: float, repeat: int, parts: Sequence[str], write_to: Path | None) -> None:
    table = Table("bench-overload", "Overload")
    if "refusal" in parts:
        await refusal(table, repeat)
    if "catalogue" in parts:
        await catalogue(table, versions, seconds, repeat)
    if "gate" in parts:
        await gate(table, versions, seconds, repeat)
    if write_to is not None:
        table.write(write_to)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--versions", type=int, default=100_000, help="And candidacies")
    parser.add_argument("--seconds", type=float, default=8, help="Of each load")
    parser.add_argument("--repeat", type=int, default=5, help="Of which the median counts")
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=PARTS)
    parser.add_argument("--write", type=Path, default=None, help="The Markdown page that keeps the table")
    given = parser.parse_args()
    written_whole(parser, given, PARTS)
    uvloop.run(run(given.versions, given.seconds, given.repeat, given.parts, given.write))


if __name__ == "__main__":
    main()
