"""How often somebody may ask, and how he is told."""

import pytest
from assent_common.http.problems import TooManyRequests
from assent_common.http.rates import MOST_REMEMBERED, Rates
from assent_common.identity.roles import Principal, Role


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def somebody(name: str = "ada") -> Principal:
    return Principal("https://issuer", name, frozenset({Role.VIEWER}))


def test_each_answer_says_how_many_are_left() -> None:
    rates = Rates(120, Time())
    assert rates.take(somebody()).headers == {
        "RateLimit-Policy": '"default";q=120;w=60',
        "RateLimit": '"default";r=119;t=1',
    }
    assert rates.take(somebody()).remaining == 118


def test_who_asks_too_often_is_told_when_to_go_on() -> None:
    time = Time()
    rates = Rates(6, time)
    for _ in range(6):
        rates.take(somebody())
    with pytest.raises(TooManyRequests) as refused:
        rates.take(somebody())
    assert refused.value.headers["Retry-After"] == "10"
    assert refused.value.headers["RateLimit"].startswith('"default";r=0;')
    time.now += 10
    assert rates.take(somebody()).remaining == 0
    assert rates.take(somebody("ben")).remaining == 5, "one's haste is not another's"


def test_what_costs_much_counts_as_much_and_never_more_than_there_is() -> None:
    time = Time()
    rates = Rates(600, time)
    assert rates.take(somebody(), 300).remaining == 300
    assert rates.take(somebody(), 300).remaining == 0
    time.now += 10
    with pytest.raises(TooManyRequests) as refused:
        rates.take(somebody(), 300)
    assert refused.value.headers["Retry-After"] == "20"
    assert rates.take(somebody()).remaining == 99, "what is left is there for what costs less"
    assert Rates(60, time).take(somebody(), 300).remaining == 0


def test_a_quota_fills_to_a_minute_and_no_further() -> None:
    time = Time()
    rates = Rates(60, time)
    rates.take(somebody())
    time.now += 3600
    assert rates.take(somebody()).remaining == 59


def test_strangers_cost_no_memory_without_end() -> None:
    rates = Rates(60, Time())
    for number in range(MOST_REMEMBERED + 50):
        rates.take(somebody(str(number)))
    assert len(rates._buckets) == MOST_REMEMBERED
