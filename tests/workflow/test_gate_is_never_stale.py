"""Concurrent writers and readers, a recorded history, and a checker: no answer is older than what was answered before.

Of each candidacy the writer is one, so its states have an order, and a history is linearizable exactly if every answer
can be given a state that was there at a moment between question and answer, and none goes back behind an answer that
was complete before it was asked.
"""

import asyncio
import itertools
import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pytest

from tests.workflow.world import World, a_use_case

USE_CASES = ("retention", "growth", "service")
READERS = 5
ROUNDS = 4


class Step(NamedTuple):
    """A write (to allowed, or to not), or a question with its answer; from when to when by the order of happening."""

    begun: int
    ended: int
    allowed: bool


class History:
    """What happened, in ticks of one counter: nothing is said of how long it took."""

    def __init__(self) -> None:
        self._ticks = itertools.count(1)
        self.writes: dict[str, list[Step]] = {key: [Step(0, 0, False)] for key in USE_CASES}
        self.answers: dict[str, list[Step]] = {key: [] for key in USE_CASES}

    def tick(self) -> int:
        return next(self._ticks)


def stale(writes: Sequence[Step], answers: Sequence[Step]) -> Iterator[str]:
    """The answers that no order of events explains."""
    #: (when it was complete, the earliest state that explains it)
    explained: list[tuple[int, int]] = []
    for answer in sorted(answers):
        at_least = max((state for ended, state in explained if ended < answer.begun), default=0)
        possible = [
            number
            for number, write in enumerate(writes)
            if number >= at_least
            and write.allowed is answer.allowed
            and write.begun < answer.ended
            and (number + 1 == len(writes) or writes[number + 1].ended > answer.begun)
        ]
        if possible:
            explained.append((answer.ended, possible[0]))
        else:
            yield f"{'allow' if answer.allowed else 'deny'} from {answer.begun} to {answer.ended}"


async def test_no_answer_is_older_than_what_was_answered_before(world: World) -> None:
    await world.hears(*(a_use_case(key) for key in USE_CASES))
    history = History()
    writing = {key: asyncio.create_task(_write(world, history, key)) for key in USE_CASES}

    async def read(dice: random.Random) -> None:
        while not all(task.done() for task in writing.values()):
            key = dice.choice(USE_CASES)
            begun = history.tick()
            allowed = (await world.gate(key))["allow"]
            history.answers[key].append(Step(begun, history.tick(), allowed))

    async with asyncio.TaskGroup() as tasks:
        for seed in range(READERS):
            tasks.create_task(read(random.Random(seed)))
    await asyncio.gather(*writing.values())

    for key in USE_CASES:
        writes, answers = history.writes[key], history.answers[key]
        assert len(writes) == 2 * ROUNDS + 1
        assert {answer.allowed for answer in answers} == {True, False}
        assert any(w.begun < a.ended and a.begun < w.ended for w in writes for a in answers), "nothing met half-way"
        assert list(stale(writes, answers)) == []


async def _write(world: World, history: History, use_case: str) -> None:
    """Accepted and suspended in turns; what makes the difference is the last approval, and the suspension."""
    candidacy = await world.put_forward(use_case=use_case)
    path = f"/v1/candidacies/{candidacy['id']}"
    for round_ in range(ROUNDS):
        if round_:
            assert (await world.ask("POST", f"{path}/submit", by="ada", role="data_scientist")).status_code == 200
        begun = history.tick()
        await world.approve_all(candidacy["id"])
        history.writes[use_case].append(Step(begun, history.tick(), True))
        begun = history.tick()
        answer = await world.ask("POST", f"{path}/suspend", role="risk", json={"reason": "a complaint"})
        assert answer.status_code == 200, answer.text
        history.writes[use_case].append(Step(begun, history.tick(), False))


NO = Step(0, 0, False)
YES = Step(10, 20, True)
NO_AGAIN = Step(30, 40, False)
HISTORIES = {
    "an allow after a suspension was answered": ([NO, YES, NO_AGAIN], [Step(41, 42, True)]),
    "an allow before anybody accepted": ([NO, YES], [Step(1, 2, True)]),
    "a deny while it was accepted all along": ([NO, YES, NO_AGAIN], [Step(21, 29, False)]),
    "an allow after a deny that saw the suspension": ([NO, YES, NO_AGAIN], [Step(31, 33, False), Step(34, 36, True)]),
}


@pytest.mark.parametrize("how", HISTORIES)
def test_the_checker_finds_what_is_stale(how: str) -> None:
    writes, answers = HISTORIES[how]
    assert len(list(stale(writes, answers))) == 1


def test_the_checker_lets_be_what_met_half_way() -> None:
    answers = [Step(15, 16, True), Step(11, 12, False), Step(31, 35, True), Step(32, 50, False), Step(25, 60, False)]
    assert list(stale([NO, YES, NO_AGAIN], answers)) == []
