"""Counts are kept for a while, and never longer than is said."""

import asyncio
from datetime import UTC, datetime
from functools import partial

import pytest
from assent_catalog.counts import MOST_COUNTED
from assent_catalog.model_versions.remembered import EXACT, MORE_THAN, Counted, Life, Remembered

from tests.support.wait import until

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


class Catalogue:
    """Counted each time with another result."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.times = 0
        self.open = asyncio.Event()
        self.open.set()
        self.error: Exception | None = None

    async def count(self) -> Counted:
        self.times += 1
        times = self.times
        await self.open.wait()
        if self.error is not None:
            raise self.error
        return Counted(self.total, {"status": {"accepted": times}}, NOON)


class Clock:
    at = 0.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def remembered(clock: Clock) -> Remembered:
    return Remembered(clock)


def which(counted: Counted) -> int:
    return counted.facets["status"]["accepted"]


@pytest.mark.parametrize(("total", "life"), [(MOST_COUNTED, EXACT), (MOST_COUNTED + 1, MORE_THAN)])
async def test_it_is_counted_anew_beside_the_answer_and_never_older_than_its_life(
    remembered: Remembered, clock: Clock, total: int, life: Life
) -> None:
    catalogue = Catalogue(total)
    assert which(await remembered.get("q", catalogue.count, 0)) == 1
    clock.at = life.fresh_s
    assert which(await remembered.get("q", catalogue.count, 0)) == 1
    assert catalogue.times == 1
    catalogue.open.clear()
    clock.at = life.fresh_s + 0.1
    assert which(await remembered.get("q", catalogue.count, 0)) == 1
    await until(lambda: catalogue.times == 2, within_s=10)
    assert which(await remembered.get("q", catalogue.count, 0)) == 1
    clock.at = life.stale_s + 0.1
    waiting = asyncio.create_task(remembered.get("q", catalogue.count, 0))
    catalogue.open.set()
    assert which(await waiting) == 2
    assert catalogue.times == 2


async def test_an_exact_count_does_not_outlive_a_change_of_this_process(remembered: Remembered) -> None:
    exact, more = Catalogue(10), Catalogue(MOST_COUNTED + 1)
    for changes in (0, 0, 1, 1, 2):
        assert which(await remembered.get("exact", exact.count, changes)) == changes + 1
        assert which(await remembered.get("more", more.count, changes)) == 1


async def test_what_is_counted_since_before_a_change_answers_nobody_after_it(remembered: Remembered) -> None:
    catalogue = Catalogue(10)
    catalogue.open.clear()
    before = asyncio.create_task(remembered.get("q", catalogue.count, 0))
    await until(lambda: catalogue.times == 1, within_s=10)
    after = asyncio.create_task(remembered.get("q", catalogue.count, 1))
    await until(lambda: catalogue.times == 2, within_s=10)
    catalogue.open.set()
    assert (which(await before), which(await after)) == (1, 2)
    assert which(await remembered.get("q", catalogue.count, 1)) == 2


async def test_many_who_ask_at_once_are_answered_by_one_count(remembered: Remembered) -> None:
    catalogue = Catalogue(10)
    catalogue.open.clear()
    asking = [asyncio.create_task(remembered.get("q", catalogue.count, 0)) for _ in range(50)]
    await until(lambda: catalogue.times == 1, within_s=10)
    asking[0].cancel()
    catalogue.open.set()
    assert {which(counted) for counted in await asyncio.gather(*asking[1:])} == {1}


async def test_a_database_that_is_away_while_it_is_counted_anew_is_asked_again(
    remembered: Remembered, clock: Clock
) -> None:
    catalogue = Catalogue(10)
    await remembered.get("q", catalogue.count, 0)
    catalogue.error = ConnectionRefusedError()
    clock.at = EXACT.fresh_s + 0.1
    assert which(await remembered.get("q", catalogue.count, 0)) == 1
    await until(lambda: catalogue.times == 2, within_s=10)
    catalogue.error = None

    async def again() -> bool:
        await remembered.get("q", catalogue.count, 0)
        return catalogue.times == 3

    await until(again, within_s=10)
    clock.at = EXACT.stale_s + EXACT.fresh_s
    catalogue.error = ConnectionRefusedError()
    with pytest.raises(ConnectionRefusedError):
        await remembered.get("other", catalogue.count, 0)


def _counted_twice(catalogue: Catalogue) -> bool:
    return catalogue.times == 2


async def test_what_comes_due_at_once_is_counted_anew_one_after_the_other(remembered: Remembered, clock: Clock) -> None:
    catalogues = {key: Catalogue(10) for key in ("first", "second", "third")}
    for key, catalogue in catalogues.items():
        await remembered.get(key, catalogue.count, 0)
        catalogue.open.clear()
    clock.at = EXACT.fresh_s + 0.1
    for number, (key, catalogue) in enumerate(catalogues.items()):
        for each, other in catalogues.items():
            assert which(await remembered.get(each, other.count, 0)) == (2 if other.open.is_set() else 1), (number, key)
        await until(partial(_counted_twice, catalogue), within_s=10)
        assert sum(other.times for other in catalogues.values()) == 3 + number + 1
        catalogue.open.set()

        async def is_new(key: str = key, catalogue: Catalogue = catalogue) -> bool:
            return which(await remembered.get(key, catalogue.count, 0)) == 2

        await until(is_new, within_s=10)
