"""Background duties: started together, started again when they fail, ended together."""

import asyncio
from collections.abc import Awaitable, Callable

from assent_common import metrics, telemetry
from assent_common.health import Health

Duty = Callable[[asyncio.Event], Awaitable[None]]
"""Runs until the event is set, and returns within a few seconds then."""


async def supervise(name: str, duty: Duty, stopping: asyncio.Event, health: Health) -> None:
    """Run a duty for as long as the service runs. One that fails is started again, after a growing pause."""
    backoff_s = 0.5
    loop = asyncio.get_running_loop()
    while not stopping.is_set():
        started_at = loop.time()
        try:
            await duty(stopping)
            return
        except Exception as error:  # noqa: BLE001 - the one place where any failure is caught, counted and retried
            metrics.TASK_FAILURES.labels(name).inc()
            telemetry.logger().error("duty_failed", duty=name, exc_info=error)
            health.failing(name, repr(error))
        if loop.time() - started_at > 60:
            backoff_s = 0.5
        await pause(stopping, backoff_s)
        backoff_s = min(backoff_s * 2, 30)
    health.working(name)


async def pause(stopping: asyncio.Event, seconds: float) -> None:
    """Wait, but not past the end of the service."""
    try:
        async with asyncio.timeout(seconds):
            await stopping.wait()
    except TimeoutError:
        pass
