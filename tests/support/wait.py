"""Waiting for a condition with a deadline, never for time."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")


@overload
async def until(condition: Callable[[], Awaitable[T]], *, within_s: float) -> T: ...
@overload
async def until(condition: Callable[[], T], *, within_s: float) -> T: ...
async def until(condition: Callable[[], Any], *, within_s: float) -> Any:
    """Ask every 20 ms until the answer is true, and return it. After `within_s` fail with the last answer.

    What the condition raises is raised at once: it is no answer.
    """
    deadline = time.monotonic() + within_s
    while True:
        answer = condition()
        if inspect.isawaitable(answer):
            answer = await answer
        if answer:
            return answer
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {within_s:g} s; the last answer was {answer!r}")
        await asyncio.sleep(0.02)
