"""A duty that fails is started again, and somebody is told."""

import asyncio
import time

import pytest
from assent_common import metrics
from assent_common.clock import SystemClock
from assent_common.health import Health, State
from assent_common.supervise import GRACE_S, GivenUp, supervise

from tests.support.wait import until


async def test_a_failing_duty_is_counted_started_again_and_recovers() -> None:
    health, stopping, starts = Health(SystemClock()), asyncio.Event(), 0

    async def duty(stopping: asyncio.Event) -> None:
        nonlocal starts
        starts += 1
        if starts == 1:
            raise ValueError("the first time is hard")
        await stopping.wait()

    before = metrics.TASK_FAILURES.labels("fragile")._value.get()
    supervised = asyncio.create_task(supervise("fragile", duty, stopping, health))
    await until(lambda: "fragile" in health.components, within_s=5)
    assert "hard" in (health.components["fragile"].detail or "")
    await until(lambda: health.components["fragile"].state is State.WORKING, within_s=5)
    assert metrics.TASK_FAILURES.labels("fragile")._value.get() == before + 1
    stopping.set()
    await supervised
    assert starts == 2


async def test_a_duty_that_gave_up_stays_down() -> None:
    health, starts = Health(SystemClock()), 0

    async def duty(_: asyncio.Event) -> None:
        nonlocal starts
        starts += 1
        raise GivenUp("this would do harm")

    await supervise("cautious", duty, asyncio.Event(), health)
    assert starts == 1
    assert [each.state for each in health.components.values()] == [State.STOPPED]


@pytest.mark.parametrize("ends", ["cancelled from within", "returned"])
async def test_a_duty_that_ends_though_nobody_asked_is_started_again(ends: str) -> None:
    health, stopping, starts = Health(SystemClock()), asyncio.Event(), 0

    async def duty(stopping: asyncio.Event) -> None:
        nonlocal starts
        starts += 1
        if starts == 2:
            await stopping.wait()
        elif ends == "cancelled from within":
            cancelled_by_a_library: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            cancelled_by_a_library.cancel()
            await cancelled_by_a_library

    supervised = asyncio.create_task(supervise("quitter", duty, stopping, health))
    await until(lambda: starts == 2, within_s=5)
    assert health.components["quitter"].state is State.FAILING
    stopping.set()
    await supervised


async def test_a_duty_that_does_not_end_is_ended() -> None:
    stopping, running, cancelled = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def duty(_: asyncio.Event) -> None:
        running.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    supervised = asyncio.create_task(supervise("deaf", duty, stopping, Health(SystemClock())))
    await running.wait()
    stopping.set()
    began = time.monotonic()
    await supervised
    assert cancelled.is_set()
    assert time.monotonic() - began < GRACE_S + 2


async def test_who_ends_the_supervision_ends_the_duty() -> None:
    running, ended = asyncio.Event(), asyncio.Event()

    async def duty(_: asyncio.Event) -> None:
        running.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    supervised = asyncio.create_task(supervise("child", duty, asyncio.Event(), Health(SystemClock())))
    await running.wait()
    supervised.cancel()
    await asyncio.wait([supervised])
    assert ended.is_set()
