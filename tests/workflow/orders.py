"""Two who act on one thing at once, in every order of their statements: it ends as if one came after the other."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import asyncpg

from tests.workflow import interleave
from tests.workflow.interleave import Meaningful, Operation

Story = TypeVar("Story")
Act = Callable[[Story], Awaitable[Any]]


async def tried(
    url: str,
    prepared: Callable[[], Awaitable[Story]],
    acts: tuple[Act[Story], Act[Story]],
    end: Callable[[Story], Awaitable[Any]],
    *,
    is_a_stop: Meaningful,
    most_turns: int | None,
    afterwards: Act[Story] | None = None,
    told_of_one: bool = False,
) -> int:
    """How many orders there were. AssertionError where an end is none of those that one after the other comes to, or
    one of these was never come to. Where both are told of one entity (`told_of_one`), the one that comes late may have
    been overtaken, and then has no effect. `afterwards` is done to each story before its end is looked at."""
    one, other = acts
    ends = []
    for first, second in ((one, other), (other, one)):
        story = await prepared()
        answers = [await first(story), await second(story)]
        ends.append((*(answers if first is one else reversed(answers)), await end(story)))
    allowed = list(ends)
    if told_of_one:
        for alone in acts:
            story = await prepared()
            answer = await alone(story)
            allowed.append((answer, answer, await end(story)))
    seen: list[int] = []
    monitor = await asyncpg.connect(url)
    try:
        stories: list[Story] = []

        async def both() -> tuple[Operation, Operation]:
            story = await prepared()
            stories.append(story)
            return (lambda: one(story)), (lambda: other(story))

        async for results in interleave.in_every_order(monitor, both, is_a_stop=is_a_stop, most_turns=most_turns):
            if afterwards is not None:
                await afterwards(stories[-1])
            came_to = (*results, await end(stories[-1]))
            assert came_to in allowed, f"after {len(seen)} orders"
            seen.append(allowed.index(came_to))
    finally:
        await monitor.close()
    assert {allowed.index(each) for each in ends} <= set(seen)
    return len(seen)
