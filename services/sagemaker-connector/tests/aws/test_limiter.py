from assent_sagemaker.aws.limiter import PACES, Family, Limiter


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


async def test_calls_go_at_the_lanes_pace_after_a_burst_of_a_second() -> None:
    time = Time()
    lane = Limiter(time, time.sleep).lane("1", "eu-west-1", Family.SEARCH)
    for _ in range(5):
        await lane.take()
    assert time.now == 0
    for _ in range(50):
        await lane.take()
    assert abs(time.now - 10) < 1e-9


async def test_throttling_halves_the_rate_once_for_all_calls_under_way_and_never_stops_it() -> None:
    time = Time()
    lane = Limiter(time, time.sleep).lane("1", "eu-west-1", Family.SEARCH)
    for _ in range(10):
        lane.was_throttled()
    assert lane.rate == 2.5
    for _ in range(20):
        time.now += 1
        lane.was_throttled()
    assert lane.rate == PACES[Family.SEARCH].floor


async def test_the_rate_grows_to_its_ceiling_slowly_once_it_was_too_much() -> None:
    time = Time()
    lane = Limiter(time, time.sleep).lane("1", "eu-west-1", Family.SEARCH)
    for _ in range(100):
        lane.went_well()
    assert lane.rate == 5
    time.now += 1
    lane.went_well()
    assert lane.rate == 6
    lane.was_throttled()
    assert lane.rate == 3
    time.now += 1
    lane.went_well()
    assert lane.rate == 3.2
    for _ in range(1000):
        time.now += 1
        lane.went_well()
    assert lane.rate == PACES[Family.SEARCH].ceiling


async def test_a_service_that_bears_three_a_second_is_asked_about_that_often() -> None:
    time = Time()
    lane = Limiter(time, time.sleep).lane("1", "eu-west-1", Family.LIST)
    allowance, refilled, refused, served = 3.0, 0.0, 0, 0
    while time.now < 600:
        await lane.take()
        allowance = min(3.0, allowance + (time.now - refilled) * 3)
        refilled = time.now
        if allowance < 1:
            refused += 1
            lane.was_throttled()
        else:
            allowance -= 1
            served += 1
            lane.went_well()
    assert served > 600 * 2
    assert refused < served * 0.1


async def test_lanes_do_not_slow_each_other() -> None:
    time = Time()
    limiter = Limiter(time, time.sleep)
    limiter.lane("1", "eu-west-1", Family.SEARCH).was_throttled()
    assert limiter.lane("1", "eu-west-1", Family.SEARCH).rate == 2.5
    for account, region, family in (
        ("2", "eu-west-1", Family.SEARCH),
        ("1", "us-east-1", Family.SEARCH),
        ("1", "eu-west-1", Family.LIST),
    ):
        assert limiter.lane(account, region, family).rate == 5
