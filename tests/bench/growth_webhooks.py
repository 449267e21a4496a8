"""So many webhooks of the workflow that are told of everything, and then ten times as many.

As many deliveries in either case, of fewer changes where each goes to more: what a delivery costs then grows only with
what it must not know of, how many other webhooks there are. And one webhook of ten that takes all and answers nothing:
when do the others have theirs?
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple
from uuid import UUID

from assent_common import ids
from assent_workflow.webhooks.sign import Sealer, new_secret

from tests.bench.cost import Cost, Costs, Meter, grown
from tests.bench.growth_followers import Served, changed, served
from tests.bench.report import Row, Table
from tests.support.wait import until

KEY = "ab" * 32
WORKFLOW = {"ASSENT_WEBHOOK_KEY": KEY, "ASSENT_WEBHOOK_NETWORKS": "127.0.0.0/8"}
DELIVERIES = 200
ROUNDS = 3
LATER_S = 30.0
ADD = """
insert into webhooks (id, url, types, description, enabled, secret, created_by, created_at, sequence)
values ($1, $2, '{}', '', true, $3, 'bench', now(), 1)
"""
COMMITTED = "select xact_commit from pg_stat_database where datname = current_database()"


class Measured(NamedTuple):
    deliveries: Costs
    commits: float


class Receivers:
    """Where all webhooks lead, each by a path of its own."""

    def __init__(self) -> None:
        self.taken: dict[str, int] = {}
        self.silent: set[str] = set()
        self.port = 0

    @classmethod
    @asynccontextmanager
    async def open(cls) -> "AsyncIterator[Receivers]":
        receivers = cls()
        server = await asyncio.start_server(receivers._take, "127.0.0.1", 0)
        receivers.port = server.sockets[0].getsockname()[1]
        async with server:
            yield receivers

    def url(self, id_: UUID) -> str:
        return f"http://127.0.0.1:{self.port}/{id_}"

    @property
    def total(self) -> int:
        """Of those that answer."""
        return sum(count for path, count in self.taken.items() if path not in self.silent)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ", 2)[1].decode().removeprefix("/")
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(int(length.partition(b":")[2]))
            self.taken[path] = self.taken.get(path, 0) + 1
            if path in self.silent:
                await reader.read()
            else:
                writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
                await writer.drain()
        finally:
            writer.close()


async def measure(table: Table, webhooks: int, times: int) -> None:
    async with served("workflow", **WORKFLOW) as there, Receivers.open() as receivers:
        few = await _add(there, receivers, webhooks)
        small = await _delivered(there, receivers, webhooks)
        late_few = await _beside_the_silent(there, receivers, few)
        many = [*few, *await _add(there, receivers, webhooks * (times - 1))]
        large = await _delivered(there, receivers, webhooks * times)
        late_many = await _beside_the_silent(there, receivers, many)
    beside, of_these = f"{webhooks} webhooks", f"{webhooks * times}"
    table.add(
        Row(
            "webhooks: a delivery",
            f"{small.deliveries} with {beside}, {large.deliveries} with {of_these}",
            grown(small.deliveries.middle.whole, large.deliveries.middle.whole),
        )
    )
    table.add(
        Row(
            "webhooks: commits of a delivery",
            f"{small.commits:.1f} with {beside}, {large.commits:.1f} with {of_these}",
            f"{grown(small.commits, large.commits)}; what the service does anyhow is in them",
        )
    )
    table.add(
        Row(
            "webhooks: one of ten does not answer, and all others have five changes after",
            f"{late_few} with {beside}, {late_many} with {of_these}",
            "by the clock; each attempt to tell who does not answer takes 10 s",
        )
    )


async def _add(there: Served, receivers: Receivers, count: int) -> list[UUID]:
    sealer, added = Sealer(KEY), [ids.new() for _ in range(count)]
    async with there.database.connection() as connection:
        for id_ in added:
            await connection.execute(ADD, id_, receivers.url(id_), sealer.seal(new_secret(), id_))
    return added


async def _delivered(there: Served, receivers: Receivers, webhooks: int) -> Measured:
    costs: list[Cost] = []
    committed = 0.0
    meter = Meter(there.process)
    for round_ in range(ROUNDS + 1):
        meter.read(1)
        if round_ == 1:
            committed = await _committed(there)
        due = receivers.total + DELIVERIES
        for _ in range(DELIVERIES // webhooks):
            await changed(there, "workflow")
        await until(lambda due=due: receivers.total >= due, within_s=600)  # type: ignore[misc]
        cost = meter.read(DELIVERIES)
        if round_:
            costs.append(cost)
    return Measured(Costs(costs), (await _committed(there) - committed) / (DELIVERIES * ROUNDS))


async def _beside_the_silent(there: Served, receivers: Receivers, all_: list[UUID]) -> str:
    """How long until all others have what happened."""
    receivers.silent = {str(id_) for id_ in all_[::10]}
    changes = 5
    due = receivers.total + changes * (len(all_) - len(receivers.silent))
    began = time.monotonic()
    for _ in range(changes):
        await changed(there, "workflow")
    try:
        async with asyncio.timeout(LATER_S):
            while receivers.total < due:
                await asyncio.sleep(0.02)
        return f"{time.monotonic() - began:.1f} s"
    except TimeoutError:
        return f"more than {LATER_S:.0f} s ({due - receivers.total} are not told)"
    finally:
        receivers.silent = set()
        async with there.database.connection() as connection:
            await connection.execute("update webhook_deliveries set status = 'failed' where status = 'waiting'")


async def _committed(there: Served) -> float:
    async with there.database.connection() as connection:
        return float(await connection.fetchval(COMMITTED))
