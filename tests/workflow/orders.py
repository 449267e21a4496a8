"""Two who act on one thing at once, in every order of their statements: it ends as if one came after the other."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar

import asyncpg
import yaml

from tests.workflow import interleave, statements
from tests.workflow.interleave import Operation
from tests.workflow.world import World, a_world

#: Without it they are a few pairs, stopped where they take the locks that count, and taking turns by choice once. With
#: it all pairs, taking turns twice there, and once at every statement: twice at every statement takes hours.
ALL = "ASSENT_STORIES" in os.environ
Story = TypeVar("Story")
Act = Callable[[Story], Awaitable[Any]]


@asynccontextmanager
async def stopped(url: str, policy: Mapping[str, Any]) -> AsyncIterator[World]:
    """A world with this policy, whose statements can be stopped one by one."""
    async with a_world(url) as world:
        await world.database.engine.dispose()
        statements.watch(world.database)
        answer = await world.ask("POST", "/v1/policies", by="adam", role="admin", json={"text": yaml.safe_dump(policy)})
        assert answer.status_code == 201, answer.text
        yield world


async def tried(
    url: str,
    prepared: Callable[[], Awaitable[Story]],
    acts: tuple[Act[Story], Act[Story]],
    end: Callable[[Story], Awaitable[Any]],
    *,
    locks: Collection[str],
    afterwards: Act[Story] | None = None,
    told_of_one: bool = False,
) -> int:
    """How many orders there were, of those in which both stop at these `locks`. AssertionError where an end is none of
    those that one after the other comes to, or one of these was never come to. Where both are told of one entity
    (`told_of_one`), what was told first may come last, and then has no effect. `afterwards` is done to each story
    before its end is looked at."""
    one, other = acts
    ends = []
    for first, second in ((one, other), (other, one)):
        story = await prepared()
        answers = [await first(story), await second(story)]
        ends.append((*(answers if first is one else reversed(answers)), await end(story)))
    seen: list[int] = []
    monitor = await asyncpg.connect(url)
    try:
        allowed = list(ends)
        for first, second in ((one, other), (other, one)) if told_of_one else ():
            story = await prepared()
            heard = await interleave.overtaken(monitor, partial(first, story), partial(second, story))
            allowed.append((*(heard if first is one else reversed(heard)), await end(story)))
        stories: list[Story] = []

        async def both() -> tuple[Operation, Operation]:
            story = await prepared()
            stories.append(story)
            return (lambda: one(story)), (lambda: other(story))

        def at_locks(query: str) -> bool:
            return query in locks

        for is_a_stop, most_turns in ((at_locks, 2), (bool, 1)) if ALL else ((at_locks, 1),):
            every = interleave.in_every_order(monitor, both, is_a_stop=is_a_stop, most_turns=most_turns)
            async for results in every:
                if afterwards is not None:
                    await afterwards(stories[-1])
                came_to = (*results, await end(stories[-1]))
                assert came_to in allowed, f"after {len(seen)} orders: {came_to}, and not one of {allowed}"
                seen.append(allowed.index(came_to))
    finally:
        await monitor.close()
    assert {allowed.index(each) for each in ends} <= set(seen)
    return len(seen)
