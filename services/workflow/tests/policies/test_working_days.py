"""When something falls due on a calendar with free days."""

from datetime import UTC, date, datetime, timedelta

import pytest
from assent_workflow.policies.model import Calendar
from assent_workflow.policies.working_days import due_at

BERLIN = Calendar(time_zone="Europe/Berlin", holidays=(date(2026, 12, 25),))
# 2026-12-23 is a Wednesday; Berlin is an hour ahead of UTC then.
WEDNESDAY = datetime(2026, 12, 23, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("asked_at", "due_in", "due"),
    [
        (WEDNESDAY, timedelta(days=1), datetime(2026, 12, 24, 9, tzinfo=UTC)),
        (WEDNESDAY, timedelta(days=2), datetime(2026, 12, 28, 9, tzinfo=UTC)),
        (WEDNESDAY, timedelta(days=1, hours=20), datetime(2026, 12, 28, 5, tzinfo=UTC)),
        # 23:30 UTC on Thursday is Friday there, which is a holiday.
        (datetime(2026, 12, 24, 23, 30, tzinfo=UTC), timedelta(hours=1), datetime(2026, 12, 28, 0, 30, tzinfo=UTC)),
        # The hour on the wall stays, though clocks are put on that Sunday.
        (datetime(2027, 3, 26, 9, tzinfo=UTC), timedelta(days=1), datetime(2027, 3, 29, 8, tzinfo=UTC)),
    ],
)
def test_only_working_days_count(asked_at: datetime, due_in: timedelta, due: datetime) -> None:
    assert due_at(asked_at, due_in, BERLIN) == due


def test_without_a_calendar_every_day_counts() -> None:
    assert due_at(WEDNESDAY, timedelta(days=2), None) == WEDNESDAY + timedelta(days=2)
