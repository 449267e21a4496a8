"""Identifiers."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from assent_common import ids


def test_each_is_greater_than_the_one_before_whatever_the_clock_does(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([*range(10**18, 10**18 + 50), *[10**18 - 10**12] * 5000, *range(10**18 - 50, 10**18 + 50)])
    with monkeypatch.context() as patched:
        patched.setattr(time, "time_ns", lambda: next(moments))
        made = [ids.new() for _ in range(5150)]
    assert made == sorted(made)
    assert len(set(made)) == 5150


def test_threads_never_make_the_same() -> None:
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda _: ids.new(), range(20_000)))
    assert len(set(made)) == 20_000


def test_they_are_version_7_and_tell_their_time() -> None:
    before = time.time_ns() // 1_000_000
    made = ids.new()
    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert before - 1 <= made.int >> 80 <= time.time_ns() // 1_000_000 + 1


def test_an_urn_has_the_same_id_everywhere_and_for_ever() -> None:
    urn = "arn:aws:sagemaker:eu-central-1:111122223333:model-package/churn/7"
    assert str(ids.of_urn(urn)) == "10668243-c5cf-5de9-a35f-7d42b83cc4c2"
    assert ids.of_urn(urn + "0") != ids.of_urn(urn)
