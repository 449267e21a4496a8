"""Waiting for conditions."""

import pytest

from tests.support.wait import until


async def test_it_returns_the_first_answer_that_is_true() -> None:
    answers = iter([None, [], [1], [2]])
    assert await until(lambda: next(answers), within_s=5) == [1]


async def test_it_awaits_conditions_that_are_asynchronous() -> None:
    answers = iter([0, 0, 3])

    async def answer() -> int:
        return next(answers)

    assert await until(answer, within_s=5) == 3


async def test_it_fails_with_the_last_answer() -> None:
    with pytest.raises(AssertionError, match=r"not within 0\.05 s; the last answer was \[\]"):
        await until(list, within_s=0.05)
