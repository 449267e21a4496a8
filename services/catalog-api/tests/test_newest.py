"""The newest versions are a span of time, and the span a few marks."""

from datetime import UTC, datetime, timedelta

from assent_catalog.newest import MOST_MARKS, Newest

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def evenly(over: timedelta) -> Newest:
    spread = [BEGAN + over * share / 100 for share in range(101)]
    return Newest(spread[-1], spread)


def test_a_span_holds_one_version_in_twenty_and_what_was_made_since() -> None:
    newest = evenly(timedelta(days=10))
    marks = newest.marks()
    assert marks == [f"@0{each}" for each in range(hour(newest.spread[95]), hour(newest.last) + 2)]
    assert 10 < len(marks) < 15


def test_a_page_further_back_is_looked_for_from_there() -> None:
    newest = evenly(timedelta(days=10))
    marks = newest.marks(newest.spread[50])
    assert marks == [f"@0{each}" for each in range(hour(newest.spread[45]), hour(newest.spread[50]) + 2)]


def test_the_longer_it_is_the_wider_are_the_marks() -> None:
    for days, measure in ((10, "@0"), (1_000, "@1"), (20_000, "@2")):
        marks = evenly(timedelta(days=days)).marks()
        assert marks[0].startswith(measure)
        assert len(marks) <= MOST_MARKS + 1


def test_nothing_is_narrowed_where_little_is_known_or_the_span_is_too_long() -> None:
    assert Newest(BEGAN, ()).marks() == []
    assert Newest(BEGAN, [BEGAN, BEGAN + timedelta(days=1)]).marks() == []
    newest = evenly(timedelta(days=10))
    assert newest.marks(newest.spread[2]) == []
    assert Newest(datetime(2300, 1, 1, tzinfo=UTC), newest.spread).marks() == []


def hour(moment: datetime) -> int:
    return int(moment.timestamp()) >> 12
