"""T20. One trouble after another, whichever the dice say, and two at once now and then."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial

from tests.prove.house import MODULES
from tests.prove.proxy import Act, of
from tests.prove.trouble import Trouble
from tests.prove.vitals import SIGNS, sample

#: Of the short run: enough that each kind of it comes.
FOR_S, FOR_LONG_S = 60.0, 600.0
DESCRIPTORS = next(number for number, sign in enumerate(SIGNS) if sign.what == "descriptors")
#: A process that has just begun has fewer than one that has served; a leak of one each time would be more.
MORE_DESCRIPTORS = 40.0


async def whatever_comes(t: Trouble) -> None:
    """Kills, stalls, cuts, throttling, each for a moment and mended before the next: no descriptor is left behind."""
    before = await sample(t.house)
    ends_at = time.monotonic() + (FOR_LONG_S if t.long else FOR_S)
    done: Counter[str] = Counter()
    left = list(TROUBLES)
    while left or time.monotonic() < ends_at:
        # Each once, and then whichever.
        name = left.pop(t.dice.randrange(len(left))) if left else t.dice.choice(list(TROUBLES))
        await TROUBLES[name](t)
        await asyncio.sleep(t.dice.uniform(0, 1))
        done[name] += 1
        await t.over()
    t.house.simulator.dial()
    after = await sample(t.house)
    for service in MODULES:
        had, has = before[service][DESCRIPTORS], after[service][DESCRIPTORS]
        assert has < had + MORE_DESCRIPTORS, f"{service} had {had:.0f} descriptors, and has {has:.0f}"
    t.notes.append(", ".join(f"{name} {times}" for name, times in sorted(done.items())))


async def _kill(t: Trouble) -> None:
    t.house.kill(t.dice.choice(list(MODULES)))


async def _hang_broker(t: Trouble) -> None:
    t.house.broker.pause()
    try:
        await asyncio.sleep(t.dice.uniform(0.5, 3))
    finally:
        t.house.broker.resume()


async def _restart_postgres(t: Trouble) -> None:
    await t.house.postgres.kill()
    await t.house.postgres.start()


async def _refuse(what: str, t: Trouble) -> None:
    proxies = {"broker": t.house.to_kafka, "AWS": t.house.to_aws}
    await proxies.get(what, t.house.to_postgres["workflow"]).refuse()
    await asyncio.sleep(t.dice.uniform(0.5, 3))


async def _lose_commits(t: Trouble) -> None:
    for through in t.house.to_postgres.values():
        through.rule(of("commit"), Act.DROP, nth=t.dice.randint(1, 5), times=2)
    await t.told(1)


async def _lose_produces(t: Trouble) -> None:
    t.house.to_kafka.rule(of("Produce"), Act.DROP, nth=2, times=2)
    await t.told(1)


async def _slow(t: Trouble) -> None:
    for through in t.house.proxies():
        through.delay(t.dice.uniform(0.005, 0.05))
    await t.told(1)


async def _black_hole(t: Trouble) -> None:
    through = t.house.to_postgres[t.dice.choice(list(MODULES))]
    through.black_hole()
    await asyncio.sleep(t.dice.uniform(1, 4))


async def _storm(t: Trouble) -> None:
    t.house.simulator.dial(throttle={"*": 0.3}, errors={"*": 0.1}, cuts={"*": 0.05})
    await t.told(1)
    t.house.simulator.dial()


async def _two_at_once(t: Trouble) -> None:
    await _kill(t)
    await _refuse("broker", t)


TROUBLES: dict[str, Callable[[Trouble], Awaitable[None]]] = {
    "killed": _kill,
    "broker hung": _hang_broker,
    "Postgres restarted": _restart_postgres,
    "broker away": partial(_refuse, "broker"),
    "AWS away": partial(_refuse, "AWS"),
    "Postgres away": partial(_refuse, "Postgres"),
    "commits lost": _lose_commits,
    "produces lost": _lose_produces,
    "slow": _slow,
    "black hole": _black_hole,
    "AWS storms": _storm,
    "killed without broker": _two_at_once,
}
