"""Background duties: started together, started again when they fail, ended together."""

import asyncio
from collections.abc import Awaitable, Callable

from assent_common import metrics, telemetry
from assent_common.health import Health

Duty = Callable[[asyncio.Event], Awaitable[None]]
"""Runs until the event is set, and returns within a few seconds then; what takes longer is cancelled."""

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
STEADY_S = 60.0
GRACE_S = 4.0


class GivenUp(Exception):
    """A duty ends for good: to start it again would do harm. Somebody has to look."""


class EndedUnasked(Exception):
    """A duty ended while the service goes on."""


async def supervise(name: str, duty: Duty, stopping: asyncio.Event, health: Health) -> None:
    """Run a duty for as long as the service runs. One that fails is started again, after a growing pause.

    It counts as working again once it has run for as long as the pause before it.
    """
    backoff_s = 0.0
    loop = asyncio.get_running_loop()
    while not stopping.is_set():
        started_at = loop.time()
        try:
            await _run(duty, stopping, lambda: health.recovered(name), steady_after_s=backoff_s or FIRST_PAUSE_S)
            return
        except GivenUp as error:
            telemetry.logger().error("duty_given_up", duty=name, reason=str(error))
            health.stopped(name, str(error))
            return
        except Exception as error:  # noqa: BLE001 - the one place where any failure is caught, counted and retried
            metrics.TASK_FAILURES.labels(name).inc()
            telemetry.logger().error("duty_failed", duty=name, exc_info=error)
            health.failing(name, repr(error))
        if loop.time() - started_at > STEADY_S:
            backoff_s = 0.0
        backoff_s = min(backoff_s * 2, LONGEST_PAUSE_S) or FIRST_PAUSE_S
        await pause(stopping, backoff_s)


async def pause(stopping: asyncio.Event, seconds: float) -> None:
    """Wait, but not past the end of the service."""
    try:
        async with asyncio.timeout(seconds):
            await stopping.wait()
    except TimeoutError:
        pass


async def either(one: asyncio.Event, other: asyncio.Event, *, within_s: float | None = None) -> None:
    """Until one of them is set, or the time is over."""
    waiting = [asyncio.create_task(event.wait()) for event in (one, other)]
    try:
        await asyncio.wait(waiting, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waiting:
            each.cancel()


async def _run(duty: Duty, stopping: asyncio.Event, steady: Callable[[], None], *, steady_after_s: float) -> None:
    running = asyncio.ensure_future(duty(stopping))
    stop = asyncio.create_task(stopping.wait())
    try:
        done, _ = await asyncio.wait({running, stop}, timeout=steady_after_s, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            steady()
            await asyncio.wait({running, stop}, return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            await asyncio.wait({running}, timeout=GRACE_S)
    finally:
        stop.cancel()
        if not running.done():
            telemetry.logger().warning("duty_cancelled")
            running.cancel()
            await asyncio.wait({running}, timeout=GRACE_S)
    if running.done() and not running.cancelled():
        running.result()
    if not stopping.is_set():
        # aiokafka cancels futures that we wait for: a cancellation that is nobody's wish must not end a duty unseen.
        raise EndedUnasked("it was cancelled from within" if running.cancelled() else "it returned")
