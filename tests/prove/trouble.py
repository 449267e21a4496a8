"""One fault after another, while a load goes on: what each trial has at hand, and what it counts."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.prove import checker
from tests.prove.house import House
from tests.prove.load import Load
from tests.prove.proxy import Rule

HAPPENS_WITHIN_S = 30.0


@dataclass
class Trouble:
    """Faults go through here, so that they are counted, and so is the time until all is well again."""

    house: House
    load: Load
    dice: random.Random
    #: For an hour of it everything is tried more often, and for longer.
    long: bool = False
    faults: int = 0
    recoveries: list[float] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    gate_urns: dict[str, str] = field(default_factory=dict)

    async def over(self, faults: int = 1) -> None:
        """The fault is mended: how long is it until everything is well?"""
        self.faults += faults
        await self.house.heal()
        self.recoveries.append(await self.house.well(within_s=180))

    async def happens(self, rule: Rule) -> bool:
        """Whether what the rule waits for came by, in good time."""
        try:
            async with asyncio.timeout(HAPPENS_WITHIN_S):
                await rule.wait()
        except TimeoutError:
            return False
        return True

    async def told(self, stories: int) -> None:
        """Until so many more stories were begun: something went on meanwhile."""
        wanted = len(self.load.stories) + stories
        async with asyncio.timeout(180):
            while len(self.load.stories) < wanted:
                await asyncio.sleep(0.05)


class Trial(NamedTuple):
    """One line of the matrix, or a part of it."""

    id: str
    what: str
    promises: str
    run: Callable[[Trouble], Awaitable[None]]
    #: How many processes of each service it takes.
    of_each: int = 1
    #: It mounts a disk.
    needs_root: bool = False
    #: What is acknowledged after a backup is lost with the database, so no load goes on meanwhile; one comes after it.
    alone: bool = False
    #: The house is of the release before when it begins.
    of_before: bool = False


@dataclass
class Outcome:
    trial: Trial
    faults: int
    recoveries: list[float]
    operations: int
    asked_again: int
    found: checker.Findings
    notes: list[str]


async def tried(
    trial: Trial, house: House, reference: Mapping[str, Any], prefix: str, seed: int, long: bool
) -> Outcome:
    """The trial's faults beside a load of its own, and then everything is held against the run without faults."""
    load = Load(house, prefix)
    trouble = Trouble(house, load, random.Random(seed), long)
    enough = asyncio.Event()

    async def spoil() -> None:
        try:
            await trial.run(trouble)
        finally:
            enough.set()

    if trial.alone:
        await spoil()
        await load.run(enough)
    else:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(load.run(enough))
            tasks.create_task(spoil())
    await house.heal()
    await house.well()
    await checker.settled(house, load, reference)
    found = await checker.checked(house, load)
    ledger = load.ledger
    return Outcome(
        *(trial, trouble.faults, trouble.recoveries, ledger.operations, ledger.asked_again, found, trouble.notes)
    )


async def reference_of(house: House) -> Mapping[str, Any]:
    """How each kind of story ends where nothing goes wrong."""
    load = Load(house, "calm")
    enough = asyncio.Event()
    enough.set()
    await load.run(enough)
    await house.well()
    reference = await checker.settled(house, load, None)
    found = await checker.checked(house, load)
    assert not found, found
    return reference
