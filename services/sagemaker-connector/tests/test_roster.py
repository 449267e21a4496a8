"""The file of sources, changed while the connector runs."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from assent_common.clock import FrozenClock
from assent_common.health import Health
from assent_sagemaker import roster as rosters
from assent_sagemaker.roster import COMPONENT, Rereading, Roster
from assent_sagemaker.sources import load

ONE = "sources:\n  - {name: one, region: eu-west-1}\n"
TWO = ONE + "  - {name: two, region: eu-west-1}\n"


class Desk:
    """A file that people edit, and the roster that follows it."""

    def __init__(self, file: Path, roster: Roster, health: Health) -> None:
        self.file = file
        self.roster = roster
        self.health = health

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not condition():
                await asyncio.sleep(0.005)


@pytest.fixture
async def desk(tmp_path: Path, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    monkeypatch.setattr(rosters, "LOOK_EVERY_S", 0.01)
    file = tmp_path / "sources.yaml"
    file.write_text(ONE)
    roster, health, stopping = Roster(load(file, own_region=None)), Health(clock), asyncio.Event()
    duty = Rereading(file, lambda: load(file, own_region=None), roster, health)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(duty.run(stopping))
        yield Desk(file, roster, health)
        stopping.set()


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(datetime(2026, 11, 24, tzinfo=UTC))


async def test_what_is_written_into_the_file_is_in_the_roster_soon(desk: Desk) -> None:
    one = desk.roster["one"]
    desk.file.write_text(TWO)
    await desk.until(lambda: set(desk.roster) == {"one", "two"})
    assert desk.roster["one"] is one, "what did not change is not taken for changed"
    desk.file.write_text(TWO.replace("name: one,", "name: one, poll_interval: 5m,"))
    await desk.until(lambda: desk.roster["one"] != one)
    desk.file.write_text(ONE)
    await desk.until(lambda: set(desk.roster) == {"one"})


@pytest.mark.parametrize("mistake", ["sources: [", "sources: []", ONE + ONE[9:], "sources:\n  - {name: one}\n", "{}"])
async def test_a_mistake_in_the_file_changes_nothing_and_is_said(desk: Desk, mistake: str) -> None:
    before = desk.roster.now
    desk.file.write_text(mistake)
    await desk.until(
        lambda: COMPONENT in desk.health.components and desk.health.components[COMPONENT].state == "failing"
    )
    assert "sources.yaml" in (desk.health.components[COMPONENT].detail or "")
    assert desk.roster.now == before
    desk.file.write_text(TWO)
    await desk.until(lambda: desk.health.components[COMPONENT].state == "working")
    assert set(desk.roster) == {"one", "two"}


async def test_a_file_that_is_gone_for_a_while_changes_nothing(desk: Desk) -> None:
    await desk.until(lambda: COMPONENT in desk.health.components)
    desk.file.unlink()
    await desk.until(lambda: desk.health.components[COMPONENT].state == "failing")
    assert set(desk.roster) == {"one"}
    desk.file.write_text(ONE)
    await desk.until(lambda: desk.health.components[COMPONENT].state == "working")
