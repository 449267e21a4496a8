"""What the connector has in memory: nothing of the versions that it has read, whether alone or beside many others."""

import gc
from collections import Counter

import httpx
from assent_common.clock import FrozenClock
from assent_common.database import Database
from assent_local.simulator import Simulator
from assent_sagemaker.sources import Source

from tests.connector import world
from tests.connector.conftest import Connect
from tests.connector.test_many_sources import a_process, rows
from tests.support.wait import until

#: Of each type: of what goes on at the moment, of lanes and the like, whatever is read.
FEW = 20


async def test_nothing_is_kept_of_the_versions_that_were_read(simulator: Simulator, connect: Connect) -> None:
    await seed(simulator, "first", 2, 20)
    connector = await connect()
    before = ours()
    await seed(simulator, "second", 4, 75)
    run = await connector.full()
    assert run.counts["changed"] == 304
    assert not {name: count for name, count in (ours() - before).items() if count > FEW}


async def test_sources_that_are_read_whole_beside_many_others_are_told_whole(
    simulator: Simulator, store: Database, clock: FrozenClock
) -> None:
    await seed(simulator, "team", 20, 6)
    sources = [Source(name=f"s-{n}", region=world.REGION, include=[f"team-*{n:02}"]) for n in range(20)]
    async with a_process(store, clock, sources, at_once=32):

        async def all_read() -> bool:
            return len(await rows(store, "select from sources where last_full_at is not null")) == 20

        await until(all_read, within_s=120)
    told = await rows(
        store,
        "select source, count(*) as versions, sum(sequence) as told from records where kind = 'model_version' "
        "group by source",
    )
    assert {row["source"] for row in told} == {source.name for source in sources}
    assert {(row["versions"], row["told"]) for row in told} == {(6, 6)}


async def seed(simulator: Simulator, prefix: str, groups: int, versions: int) -> None:
    async with httpx.AsyncClient() as http:
        asked = {"groups": groups, "versions": versions, "prefix": prefix}
        answer = await http.post(f"{simulator.url}/_simulator/seed", json=asked)
        assert answer.json() == {"versions": groups * versions}


def ours() -> Counter[str]:
    """What there is of our own types, of which each document, record and event that is read becomes some."""
    gc.collect()
    kinds = (type(each) for each in gc.get_objects())
    return Counter(
        f"{kind.__module__}.{kind.__name__}"
        for kind in kinds
        if str(kind.__module__).startswith(("assent_sagemaker", "assent_common.events"))
    )
