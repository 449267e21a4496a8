"""Rates that are unpublished are found, kept to, and shared out by urgency. Only sleeping moves the clock here."""

import asyncio
from collections.abc import Awaitable

import pytest
from assent_sagemaker.aws.lane import BULK_EVERY, Lane, Turn
from assent_sagemaker.aws.limiter import PACES, Family, Limiter
from assent_sagemaker.aws.rate import FAR, NEAR, STEADY, Pace, Rate
from assent_sagemaker.aws.urgency import Urgency, of_the_call, urgent

BULK, EVENT, DECISION = Urgency.BULK, Urgency.EVENT, Urgency.DECISION


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)
        self.now += seconds


class Service:
    """Bears so many calls a second and not one more, but for a burst."""

    def __init__(self, time: Time, allowed: float, *, burst: float) -> None:
        self._time = time
        self.allowed = allowed
        self._burst = self._tokens = burst
        self._filled_at = 0.0
        self.answered = self.throttled = 0

    def asked(self) -> bool:
        now = self._time.now
        self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self.allowed)
        self._filled_at = now
        if self._tokens < 1:
            self.throttled += 1
            return False
        self._tokens -= 1
        self.answered += 1
        return True


async def ask(lane: Lane, service: Service, time: Time, *, until: float, latency_s: float = 0.0) -> None:
    """One caller after another, each waiting for its answer, while time goes on."""
    while time.now < until:
        turn = await lane.take()
        time.now += latency_s
        if service.asked():
            lane.went_well(turn)
        else:
            lane.was_throttled(turn)


@pytest.mark.parametrize("allowed", [5.0, 50.0])
@pytest.mark.parametrize("burst_s", [0.3, 1.0, 5.0])
async def test_the_allowed_rate_is_found_and_kept_to(allowed: float, burst_s: float) -> None:
    time = Time()
    lane = Limiter(time, time.sleep).lane("1", "eu-west-1", Family.DESCRIBE)
    service = Service(time, allowed, burst=max(1.0, allowed * burst_s))
    await ask(lane, service, time, until=120)
    service.answered = service.throttled = 0
    began = time.now
    await ask(lane, service, time, until=began + 600)

    calls = service.answered + service.throttled
    assert calls > allowed * 400
    assert service.throttled / calls < 0.02
    assert service.answered / (time.now - began) >= allowed * 0.85


async def test_an_account_that_bears_much_is_not_held_back() -> None:
    time = Time()
    lane = Limiter(time, time.sleep).lane("1", "eu-west-1", Family.SEARCH)
    service = Service(time, 10_000, burst=10_000)
    await ask(lane, service, time, until=5, latency_s=0.02)
    assert service.answered > 150
    assert service.throttled == 0


async def test_when_more_is_allowed_again_it_is_found_out() -> None:
    time = Time()
    lane = Limiter(time, time.sleep).lane("1", "eu-west-1", Family.DESCRIBE)
    service = Service(time, 5, burst=5)
    await ask(lane, service, time, until=200)
    assert lane.rate < 7
    service.allowed = 40
    await ask(lane, service, time, until=1000)
    assert lane.rate > 30


def a_rate(start: float = 10, ceiling: float = 100, floor: float = 0.5) -> Rate:
    return Rate(Pace(start, ceiling, floor))


def test_it_falls_once_for_all_calls_that_were_under_way_together() -> None:
    rate = a_rate(start=40)
    epoch = rate.epoch
    assert [rate.was_throttled(epoch) for _ in range(16)] == [True] + [False] * 15
    assert rate.a_second == 40 * FAR


def test_near_what_is_allowed_it_falls_by_little_and_far_from_it_by_half() -> None:
    rate = a_rate(start=40)
    rate.was_throttled(rate.epoch)
    for _ in range(STEADY):
        rate.went_well()
    settled = rate.a_second
    rate.was_throttled(rate.epoch)
    assert rate.a_second == settled * NEAR
    rate.was_throttled(rate.epoch)
    assert rate.a_second == settled * NEAR * FAR


def test_it_never_leaves_its_bounds() -> None:
    rate = a_rate()
    for _ in range(1000):
        rate.went_well()
    assert rate.a_second == 100
    for _ in range(1000):
        rate.was_throttled(rate.epoch)
    assert rate.a_second == 0.5


async def test_a_rate_that_nobody_uses_up_is_not_taken_for_allowed() -> None:
    time = Time()
    lane = Limiter(time, time.sleep).lane("1", "eu-west-1", Family.SEARCH)
    for _ in range(100):
        lane.went_well(await lane.take())
        time.now += 60
    assert lane.rate == PACES[Family.SEARCH].start


async def test_lanes_do_not_slow_each_other() -> None:
    time = Time()
    limiter = Limiter(time, time.sleep)
    throttled = limiter.lane("1", "eu-west-1", Family.SEARCH)
    throttled.was_throttled(await throttled.take())
    assert limiter.lane("1", "eu-west-1", Family.SEARCH).rate == PACES[Family.SEARCH].start * FAR
    for account, region, family in (
        ("2", "eu-west-1", Family.SEARCH),
        ("1", "us-east-1", Family.SEARCH),
        ("1", "eu-west-1", Family.LIST),
    ):
        assert limiter.lane(account, region, family).rate == PACES[family].start


def test_jobs_are_asked_a_tenth_as_often_as_search() -> None:
    jobs, search = PACES[Family.JOBS], PACES[Family.SEARCH]
    assert (jobs.start * 10, jobs.ceiling * 10) == (search.start, search.ceiling)


class Queue:
    """Callers of one lane, and the order in which they got their turns."""

    def __init__(self, rate: float = 1) -> None:
        self.time = Time()
        self._gate = asyncio.Event()
        self.lane = Lane(Pace(rate, rate, rate), self.time, self._sleep)
        self.served: list[str] = []

    async def _sleep(self, seconds: float) -> None:
        await self._gate.wait()
        self.time.now += seconds

    async def joined(self, name: str, urgency: Urgency) -> "asyncio.Task[Turn]":
        async def wait() -> Turn:
            turn = await self.lane.take(urgency)
            self.served.append(name)
            return turn

        task = asyncio.create_task(wait())
        await asyncio.sleep(0)
        return task

    async def ended(self, *tasks: Awaitable[Turn]) -> list[str]:
        self._gate.set()
        async with asyncio.timeout(5):
            await asyncio.gather(*tasks)
        return self.served


async def test_decisions_and_events_go_before_bulk_and_each_in_the_order_of_coming() -> None:
    queue = Queue()
    await queue.lane.take()
    tasks = [
        await queue.joined(name, urgency)
        for name, urgency in (("b1", BULK), ("b2", BULK), ("e1", EVENT), ("d1", DECISION), ("e2", EVENT))
    ]
    served = await queue.ended(*tasks)
    assert sorted(served) == ["b1", "b2", "d1", "e1", "e2"]
    assert [name for name in served if name != "b1"] == ["d1", "e1", "e2", "b2"]


async def test_bulk_is_not_starved_by_a_flood_of_urgent_calls() -> None:
    queue = Queue()
    await queue.lane.take()
    tasks = [await queue.joined("bulk", BULK), *[await queue.joined("decision", DECISION) for _ in range(50)]]
    served = await queue.ended(*tasks)
    assert served.index("bulk") < BULK_EVERY


async def test_who_gives_up_waiting_costs_the_others_nothing() -> None:
    queue = Queue()
    await queue.lane.take()
    tasks = [await queue.joined(str(n), BULK) for n in range(6)]
    for gone in (tasks[0], tasks[2], tasks[3]):
        gone.cancel()
    await asyncio.gather(tasks[0], tasks[2], tasks[3], return_exceptions=True)
    assert await queue.ended(tasks[1], tasks[4], tasks[5]) == ["1", "4", "5"]
    assert queue.time.now == pytest.approx(3)


async def test_a_turn_that_comes_in_the_moment_of_giving_up_is_not_lost() -> None:
    time = Time()
    waiting: list[asyncio.Task[Turn]] = []

    async def called_and_cancelled_at_once(seconds: float) -> None:
        await time.sleep(seconds)
        asyncio.get_running_loop().call_soon(waiting[0].cancel)

    lane = Lane(Pace(1, 1, 1), time, called_and_cancelled_at_once)
    await lane.take()
    waiting += [asyncio.create_task(lane.take()) for _ in range(2)]
    async with asyncio.timeout(5):
        await asyncio.gather(*waiting, return_exceptions=True)
        assert waiting[0].cancelled()
        await lane.take()
    assert time.now == pytest.approx(2), "two turns were used after the first, and two seconds have passed"


async def test_all_may_give_up_at_once_while_there_are_turns() -> None:
    time = Time()
    waiting: list[asyncio.Task[Turn]] = []

    async def late_and_given_up(seconds: float) -> None:
        await time.sleep(seconds + 10)
        for each in waiting:
            each.cancel()

    lane = Lane(Pace(10, 10, 10), time, late_and_given_up)
    for _ in range(10):
        await lane.take()
    waiting += [asyncio.create_task(lane.take()) for _ in range(3)]
    await asyncio.gather(*waiting, return_exceptions=True)
    assert all(each.cancelled() for each in waiting)
    waiting.clear()
    await lane.take()
    assert time.now < 11, "there were turns enough"


async def test_a_lane_that_nobody_waits_for_leaves_nothing_running() -> None:
    before = asyncio.all_tasks()
    queue = Queue()
    await queue.lane.take()
    waiting = await queue.joined("only", BULK)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


async def test_calls_are_as_urgent_as_what_they_are_made_for() -> None:
    assert of_the_call() is BULK
    with urgent(DECISION):
        assert of_the_call() is DECISION
        assert await asyncio.create_task(_asked()) is DECISION
    assert of_the_call() is BULK


async def _asked() -> Urgency:
    return of_the_call()


async def test_retries_are_spread_and_never_further_apart_than_some_seconds() -> None:
    time = Time()
    limiter = Limiter(time, time.sleep)
    waits = []
    for attempts in range(1, 40):
        before = time.now
        await limiter.back_off(attempts)
        waits.append(time.now - before)
    assert max(waits) <= 20
    assert len(set(waits)) > 30
