"""The token that a service shows where it asks another: given for good, or fetched from the company's issuer in its own
name, and another in time before that one ends.
"""

import asyncio
import random
from datetime import UTC, datetime
from typing import Protocol

import httpx

from assent_common import telemetry
from assent_common.clock import Clock
from assent_common.health import Health
from assent_common.identity.client import Client, Given, NotGiven
from assent_common.settings import Settings
from assent_common.supervise import pause

COMPONENT = "service-token"
LOOK_EVERY_S = 5.0
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
REFUSED_PAUSE_S = 30.0
MOST_MARGIN_S = 10.0


class NoToken(Exception):
    """There is none to show now. Ask again later."""


class ServiceToken(Protocol):
    async def shown(self) -> str:
        """One that is good. Raises NoToken, at once or once the issuer was asked, which takes ten seconds at most."""
        ...

    def refused(self, token: str) -> None:
        """It was shown, and not taken: whatever was thought of it, another is needed."""
        ...


class Fixed:
    """One for good, until whoever runs the service gives it another."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def shown(self) -> str:
        return self._token

    def refused(self, token: str) -> None:
        """Nobody gives another."""


class Fetched:
    """One for a while. At most one is being fetched at a time, however many wait for it.

    It is renewed after seventy to eighty-five hundredths of its time, so that processes started together do not ask
    together. Where the issuer gives none the one before is shown until it ends, and the issuer is asked again, ever
    more seldom, down to once a minute.
    """

    def __init__(self, client: Client, *, health: Health, clock: Clock) -> None:
        self._client = client
        self._health = health
        self._clock = clock
        self._given: Given | None = None
        self._good_until = 0.0
        self._fetched_at = float("-inf")
        self._next_at = float("-inf")
        self._failures = 0
        self._why = "it was not asked yet"
        self._fetching = asyncio.Lock()
        health.starting(COMPONENT)

    async def run(self, stopping: asyncio.Event) -> None:
        """Nobody waits for a token whose time is known: it is there before."""
        while not stopping.is_set():
            await self.look()
            await pause(stopping, min(max(self._next_at - self._now(), 0.0), LOOK_EVERY_S))

    async def look(self) -> None:
        """Fetch another if it is time to. Whoever comes meanwhile waits for that one."""
        async with self._fetching:
            asked_at = self._now()
            if asked_at < self._next_at:
                return
            try:
                given = await self._client.fetch()
            except NotGiven as error:
                self._failed(str(error), asked_at)
            else:
                self._got(given, asked_at)

    async def shown(self) -> str:
        if self._good() is None:
            await self.look()
        if (given := self._good()) is None:
            raise NoToken(f"there is no token to ask with: {self._why}")
        return given.token

    def refused(self, token: str) -> None:
        if self._given is not None and token == self._given.token:
            self._next_at = min(self._next_at, max(self._now(), self._fetched_at + REFUSED_PAUSE_S))

    def _got(self, given: Given, asked_at: float) -> None:
        self._given, self._fetched_at, self._failures = given, asked_at, 0
        self._good_until = asked_at + given.for_s - min(MOST_MARGIN_S, given.for_s / 10)
        renew_in_s = given.for_s * random.uniform(0.7, 0.85)  # noqa: S311 - spreads, hides nothing
        self._next_at = asked_at + max(renew_in_s, FIRST_PAUSE_S)
        self._health.working(COMPONENT)
        telemetry.logger().info("service_token_fetched", good_for_s=round(given.for_s))

    def _failed(self, why: str, asked_at: float) -> None:
        pause_s = min(FIRST_PAUSE_S * 2**self._failures, LONGEST_PAUSE_S)
        self._failures = min(self._failures + 1, 10)
        self._next_at = asked_at + pause_s * random.uniform(0.8, 1.2)  # noqa: S311
        self._why = why
        until = f"the one before is good until {_at(self._good_until)}" if self._good() else "there is none"
        self._health.failing(COMPONENT, f"{why}; {until}")
        telemetry.logger().warning("service_token_not_fetched", reason=why)

    def _good(self) -> Given | None:
        return self._given if self._now() < self._good_until else None

    def _now(self) -> float:
        return self._clock.now().timestamp()


def of(settings: Settings, http: httpx.AsyncClient, *, health: Health, clock: Clock) -> Fixed | Fetched | None:
    """None where nothing says how to come by one."""
    if settings.service_client_id is not None:
        return Fetched(Client(settings, http, clock), health=health, clock=clock)
    return Fixed(settings.service_token.get_secret_value()) if settings.service_token is not None else None


def _at(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
