"""One connector with so many sources, and then with ten times as many: accounts in two regions each, read whole before.

So many polls a second go on in either case, ten times as many sources being polled a tenth as often: what a poll costs
then grows only with what a poll must not know of, how many other sources there are.
"""

import asyncio
import random
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

import httpx
import psutil

from tests.bench.cost import Cost, Costs, Meter, grown
from tests.bench.report import Row, Table
from tests.bench.standin import REGION
from tests.bench.sync import Bench, House, house
from tests.support.wait import until

REGIONS = (REGION, "us-east-1")
POLLS_A_SECOND = 10
#: Of each round.
POLLS = 60
ROUNDS = 3
CHANGES = 20
#: Between two registrations: longer than polls look back, as in an account where a quiet hour is nothing rare.
APART_S = 600.0
#: Lineage is asked about each version once, for minutes and at a pace of its own: here all of it is taken for answered.
NO_LINEAGE = """
create function answered() returns trigger language plpgsql as 'begin new.due_at := null; return new; end';
create trigger answered before insert on lineages for each row execute function answered();
"""


class Measured(NamedTuple):
    polls: Costs
    calls: float
    #: Of each change, the part of an interval after which it was told.
    late: Sequence[float]
    memory_mb: float
    connections: dict[str, int]


async def measure(table: Table, sources: int, times: int, versions: int) -> None:
    async with house() as servers:
        small, large = [await _with(servers, each, versions) for each in (sources, sources * times)]
    beside, of_these = f"{sources} sources of {versions} versions", f"{sources * times}"

    def row(what: str, said: Sequence[str], verdict: str) -> None:
        table.add(Row(f"the connector: {what}", f"{said[0]} with {beside}, {said[1]} with {of_these}", verdict))

    both = (small, large)
    row(
        "a poll where nothing changed",
        [str(each.polls) for each in both],
        grown(small.polls.middle.whole, large.polls.middle.whole),
    )
    row("its calls to AWS", [f"{each.calls:.1f}" for each in both], grown(small.calls, large.calls))
    row(
        "a change is told after, in intervals",
        [f"{median(each.late):.2f} ({min(each.late):.2f}-{max(each.late):.2f})" for each in both],
        f"{CHANGES} changes, by the clock; within 1",
    )
    row(
        "memory",
        [f"{each.memory_mb:.0f} MB" for each in both],
        f"{(large.memory_mb - small.memory_mb) * 1024 / (sources * (times - 1)):.0f} KB for each source more, with "
        "what it takes to read more of them whole at once",
    )
    row(
        "connections to " + ", ".join(small.connections),
        [", ".join(map(str, each.connections.values())) for each in both],
        "at most 10 to Postgres, 100 to a service of AWS in a region",
    )


async def _with(servers: House, count: int, versions: int) -> Measured:
    interval_s = count / POLLS_A_SECOND
    wheres = [(f"{number // 2 + 1:012}", REGIONS[number % 2]) for number in range(count)]
    described = [
        {
            "name": f"account-{account}-{region}",
            "region": region,
            "role_arn": f"arn:aws:iam::{account}:role/assent",
            "poll_interval": f"{interval_s}s",
        }
        for account, region in wheres
    ]
    async with servers.connected(versions, None, described, apart_s=APART_S, schema=NO_LINEAGE) as bench:
        await bench.read_whole()
        await _polled(bench, count)
        meter = Meter(psutil.Process(bench.process.pid))
        costs: list[Cost] = []
        await bench.stand_in.reset()
        seen = 0
        for _ in range(ROUNDS):
            polls = await _polled(bench, POLLS)
            costs.append(meter.read(polls))
            seen += polls
        calls = sum((await bench.stand_in.stand())["calls"].values()) / seen
        late = await _late(bench, wheres, versions, interval_s)
        process = psutil.Process(bench.process.pid)
        return Measured(
            Costs(costs), calls, late, process.memory_info().rss / 2**20, servers.connections(process, bench.stand_in)
        )


async def _polled(bench: Bench, count: int) -> int:
    """Once there were so many more polls; how many there were. Seldom looked: to be asked costs the connector time."""
    before = now = await _polls(bench)
    async with asyncio.timeout(600):
        while now - before < count:
            await asyncio.sleep(1)
            now = await _polls(bench)
    return now - before


async def _polls(bench: Bench) -> int:
    async with httpx.AsyncClient() as client:
        text = (await client.get(f"http://127.0.0.1:{bench.port}/metrics")).text
    counts = {line.partition(" ")[0]: line.partition(" ")[2] for line in text.splitlines()}
    assert 'assent_syncs_total{mode="incremental",outcome="failed"}' not in counts
    return int(float(counts.get('assent_syncs_total{mode="incremental",outcome="completed"}', 0)))


async def _late(bench: Bench, wheres: Sequence[tuple[str, str]], versions: int, interval_s: float) -> list[float]:
    """Of changes all over the sources, at moments all over an interval."""
    dice = random.Random(7)
    changes: list[tuple[bytes, float]] = []
    for _ in range(CHANGES):
        account, region = dice.choice(wheres)
        number = dice.randrange(versions)
        arn, at = await bench.stand_in.change(number, told=False, account=account, region=region)
        changes.append((arn.encode(), at))
        await asyncio.sleep(interval_s / CHANGES)
    await until(lambda: all(bench.topic.last_at.get(arn, 0.0) >= at for arn, at in changes), within_s=600)
    return [(bench.topic.last_at[arn] - at) / interval_s for arn, at in changes]
