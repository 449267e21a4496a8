"""When something falls due that is asked for now."""

from datetime import UTC, datetime, timedelta

from assent_workflow.policies.model import Calendar

DAY = timedelta(days=1)


def due_at(asked_at: datetime, due_in: timedelta, calendar: Calendar | None) -> datetime:
    """By the calendar, whole days are working days, at the same hour there; what falls on a free day moves on."""
    if calendar is None:
        return asked_at + due_in
    local = asked_at.astimezone(calendar.zone)
    for _ in range(due_in.days):
        local = _working(local + DAY, calendar)
    rest = due_in - timedelta(days=due_in.days)
    # Hours are counted as they pass, also through a night in which clocks are put on.
    local = (local.astimezone(UTC) + rest).astimezone(calendar.zone)
    return _working(local, calendar).astimezone(UTC)


def _working(local: datetime, calendar: Calendar) -> datetime:
    """This moment, or the same hour of the first working day after it. Adding a day keeps the hour on the wall."""
    while not calendar.works_on(local.date()):
        local += DAY
    return local
