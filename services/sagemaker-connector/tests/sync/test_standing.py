"""When a source is read that somebody else has read before."""

from datetime import UTC, datetime, timedelta

from assent_sagemaker.sources import Source
from assent_sagemaker.sources_state import Due
from assent_sagemaker.sync.turn import Standing

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
SOURCE = Source(name="prod-eu", region="eu-central-1")
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def left(*, full: datetime, poll: datetime, interrupted: bool = False) -> Due:
    return Due(Standing.read_as_of(SOURCE), full, poll, None, interrupted)


def test_it_goes_on_when_it_was_to_be_read() -> None:
    standing = Standing.of(SOURCE, left(full=NOW + HOUR, poll=NOW + MINUTE / 2), NOW)
    assert (standing.full_at, standing.poll_at) == (NOW + HOUR, NOW + MINUTE / 2)


def test_a_clock_that_was_hours_early_keeps_nobody_waiting() -> None:
    """Found by T9: the next poll was an hour away, for who came after."""
    standing = Standing.of(SOURCE, left(full=NOW + 30 * HOUR, poll=NOW + 24 * HOUR), NOW)
    assert standing.due(NOW) == (NOW + SOURCE.poll_interval, False)
    assert standing.full_at == NOW + SOURCE.reconcile_interval


def test_what_was_left_in_its_middle_is_gone_on_with_at_once() -> None:
    standing = Standing.of(SOURCE, left(full=NOW + HOUR, poll=NOW + MINUTE / 2, interrupted=True), NOW)
    assert standing.due(NOW) == (NOW, False)
