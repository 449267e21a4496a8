"""What libraries say in our log."""

import logging

from assent_common.telemetry import ToOurLines

from libs.common.tests.lines import Lines


class Clock:
    at = 0.0

    def __call__(self) -> float:
        return self.at


def test_what_a_library_says_over_and_over_again_is_told_a_few_times_a_minute_and_then_counted(lines: Lines) -> None:
    clock = Clock()
    library = logging.Logger("a library", logging.WARNING)
    library.addHandler(ToOurLines(clock))

    def says(times: int) -> None:
        for number in range(times):
            library.error("node %s is away", number)

    says(1_000)
    library.warning("something else")
    told = lines()
    assert [line["event"] for line in told] == [*(f"node {n} is away" for n in range(5)), "something else"]
    assert {(line["logger"], line.get("left_out")) for line in told} == {("a library", None)}
    clock.at = 59.9
    says(1)
    assert lines() == []
    clock.at = 60.0
    says(2)
    assert [(line["event"], line.get("left_out")) for line in lines()] == [
        ("node 0 is away", 996),
        ("node 1 is away", None),
    ]
    clock.at = 120.0
    says(1)
    assert [line.get("left_out") for line in lines()] == [None], "nothing was"


def test_one_failure_that_comes_over_and_over_again_hides_no_other(lines: Lines) -> None:
    library = logging.Logger("a library", logging.WARNING)
    library.addHandler(ToOurLines(Clock()))
    for failure in (*[ValueError("again")] * 10, KeyError("another")):
        try:
            raise failure
        except (LookupError, ValueError):
            library.exception("a task failed")
    told = [line["exception"].splitlines()[-1] for line in lines()]
    assert told == [*["ValueError: again"] * 5, "KeyError: 'another'"]
