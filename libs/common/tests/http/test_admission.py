"""Who is let in when more is asked than can be done, and who is given up."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from assent_common.http.admission import FEWEST, Admission
from starlette.types import Message, Receive, Scope, Send

FOREVER_S = 3600.0


class Service:
    """Answers once it may. Without `heeds`, not even to be cancelled moves it."""

    def __init__(self, *, streams: bool = False, heeds: bool = True) -> None:
        self.may = asyncio.Event()
        self.asked = 0
        self._streams = streams
        self._heeds = heeds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked += 1
        start = {"type": "http.response.start", "status": 200, "headers": []}
        if self._streams:
            await send(start)
        while not self.may.is_set():
            try:
                await self.may.wait()
            except asyncio.CancelledError:
                if self._heeds:
                    raise
        if not self._streams:
            await send(start)
        await send({"type": "http.response.body", "body": b"done"})


async def soon(true: Callable[[], bool]) -> None:
    """By turns of the loop: a test may hold its clock."""
    for _ in range(100_000):
        if true():
            return
        await asyncio.sleep(0)
    raise AssertionError("it does not come to that")


class Caller:
    """One request, and what came of it so far."""

    def __init__(self, to: Admission, path: str = "/v1/gate") -> None:
        self.answered = asyncio.Event()
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        scope: Scope = {"type": "http", "method": "POST", "path": path, "headers": [(b"x-request-id", b"mine")]}
        self.task = asyncio.create_task(to(scope, self._receive, self._send))

    async def _receive(self) -> Message:
        raise AssertionError("nobody reads the body")

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            assert not self.status, "answered twice"
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            self.body += message["body"]
            self.answered.set()

    async def answer(self) -> dict[str, Any]:
        await self.answered.wait()
        document: dict[str, Any] = json.loads(self.body)
        return document


async def test_who_is_one_too_many_is_told_to_come_again_and_health_is_answered() -> None:
    service = Service()
    admission = Admission(service, at_once=2, within_s=FOREVER_S)
    inside = [Caller(admission) for _ in range(2)]
    outside = Caller(admission)
    problem = await outside.answer()
    assert (outside.status, outside.headers["content-type"]) == (503, "application/problem+json")
    assert outside.headers["retry-after"] == "1"
    assert (outside.headers["x-request-id"], problem["correlation_id"]) == ("mine", "mine")
    assert outside.headers["cache-control"] == "no-store"
    assert problem["type"].endswith("/overloaded")
    assert service.asked == 2

    asking = [Caller(admission, path) for path in ("/health/live", "/health/ready", "/metrics")]
    service.may.set()
    for each in (*inside, *asking):
        await each.task
        assert (each.status, each.body) == (200, b"done")
    assert admission.inside == 0
    again = Caller(admission)
    await again.task
    assert again.status == 200


async def test_who_waits_too_long_is_told_so_and_his_place_is_free() -> None:
    service = Service()
    admission = Admission(service, at_once=1, within_s=0.01)
    caller = Caller(admission)
    problem = await caller.answer()
    await caller.task
    assert (caller.status, caller.headers["retry-after"]) == (503, "2")
    assert problem["type"].endswith("/too-slow")
    assert admission.inside == 0
    assert caller.task.cancelling() == 0


async def test_who_waits_too_long_is_told_at_once_though_what_he_waits_for_hangs() -> None:
    service = Service(heeds=False)
    admission = Admission(service, at_once=1, within_s=0.01)
    caller = Caller(admission)
    assert (await caller.answer())["type"].endswith("/too-slow")
    assert not caller.task.done()
    assert admission.inside == 0
    service.may.set()
    await caller.task
    assert caller.status == 503, "what came too late is told to nobody"


async def test_a_stream_that_has_begun_counts_no_longer_and_is_not_given_up() -> None:
    service = Service(streams=True)
    admission = Admission(service, at_once=1, within_s=FOREVER_S)
    following = Caller(admission)
    await soon(lambda: bool(following.status))
    assert admission.inside == 0
    another = Caller(admission)
    service.may.set()
    for each in (following, another):
        await each.task
        assert (each.status, each.body) == (200, b"done")


async def test_who_stand_in_a_line_that_lasts_are_not_turned_away_while_there_is_room() -> None:
    service = Service()
    admission = Admission(service, at_once=200, within_s=FOREVER_S, lasts_s=0)
    service.may.set()

    async def ask_again_and_again() -> set[int]:
        statuses = set()
        for _ in range(5):
            caller = Caller(admission)
            await caller.task
            statuses.add(caller.status)
        return statuses

    everybody = await asyncio.gather(*(ask_again_and_again() for _ in range(3 * FEWEST)))
    assert set.union(*everybody) == {200}


async def test_a_line_is_kept_short_until_for_a_while_nobody_had_to_be_turned_away_for_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1_000.0
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now)
    service = Service()
    admission = Admission(service, at_once=200, within_s=FOREVER_S, lasts_s=10)

    async def let_in(*, after_s: float = 0) -> int:
        """Of three hundred. If it is said, one more comes so much later."""
        nonlocal now
        service.may.clear()
        callers = [Caller(admission) for _ in range(300)]
        await soon(lambda: sum(each.answered.is_set() for each in callers) + admission.inside == 300)
        inside = admission.inside
        if after_s:
            now += after_s
            assert (await Caller(admission).answer())["type"].endswith("/overloaded")
        service.may.set()
        for each in callers:
            await each.task
        assert not admission.inside
        return inside

    assert await let_in() == 200
    assert await let_in(after_s=11) == 200, "it lasts from the eleventh second on"
    for _ in range(3):
        now += 9
        assert await let_in() == FEWEST, "though the line was empty"
    now += 10
    assert await let_in() == 200


async def test_a_burst_stands_in_line_and_all_of_it_is_answered() -> None:
    service = Service()
    admission = Admission(service, at_once=200, within_s=FOREVER_S, stands_s=0, lasts_s=FOREVER_S)
    callers = [Caller(admission) for _ in range(FEWEST + 20)]
    await soon(lambda: admission.inside == len(callers))
    assert service.asked == FEWEST
    gone = callers.pop()
    gone.task.cancel()
    await asyncio.wait({gone.task})
    service.may.set()
    for each in callers:
        await each.task
        assert (each.status, each.body) == (200, b"done")
    assert (service.asked, admission.inside) == (FEWEST + 19, 0)


async def test_who_stood_in_line_for_too_long_is_told_to_come_again_once_others_are_turned_away() -> None:
    service = Service()
    admission = Admission(service, at_once=FEWEST + 20, within_s=FOREVER_S, stands_s=0, lasts_s=FOREVER_S)
    callers = [Caller(admission) for _ in range(FEWEST + 20)]
    await soon(lambda: admission.inside == len(callers))
    assert (await Caller(admission).answer())["type"].endswith("/overloaded")
    service.may.set()
    for each in callers:
        await each.task
    assert [each.status for each in callers] == [200] * FEWEST + [503] * 20
    assert {each.headers["retry-after"] for each in callers[FEWEST:]} == {"1"}
    assert (service.asked, admission.inside) == (FEWEST, 0)
    again = Caller(admission)
    await again.task
    assert again.status == 200, "the line is empty, and so are their places"


async def test_whoever_is_given_up_keeps_nobodys_place() -> None:
    service = Service(heeds=False)
    admission = Admission(service, at_once=FEWEST + 20, within_s=0.01)
    callers = [Caller(admission) for _ in range(FEWEST + 20)]
    for each in callers:
        assert (await each.answer())["type"].endswith("/too-slow")
    assert admission.inside == 0
    service.may.set()
    for each in callers:
        await each.task
    again = [Caller(admission) for _ in range(FEWEST + 20)]
    for each in again:
        await each.task
    assert [each.status for each in again] == [200] * (FEWEST + 20)


async def test_who_is_cancelled_from_outside_is() -> None:
    admission = Admission(Service(), at_once=1, within_s=FOREVER_S)
    caller = Caller(admission)
    await soon(lambda: admission.inside == 1)
    caller.task.cancel()
    await asyncio.wait({caller.task})
    assert caller.task.cancelled()
    assert admission.inside == 0
