"""How an attempt went. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_RETRY_AFTER_S = 86_400.0


@dataclass(frozen=True)
class Outcome:
    #: What the other side answered, in numbers; none where no answer came.
    status: int | None = None
    #: Why it was not taken; none where it was.
    error: str | None = None
    #: How long the other side wants to be left alone.
    wait_s: float = 0.0
    #: Whether there is a point in trying again.
    final: bool = False

    @property
    def taken(self) -> bool:
        return self.error is None


def of_answer(status: int, retry_after: str | None, *, at: datetime) -> Outcome:
    """Taken by a 2xx, and by nothing else."""
    if 200 <= status < 300:
        return Outcome(status)
    return Outcome(status, f"it answered {status}", retry_after_s(retry_after or "", at=at))


def retry_after_s(text: str, *, at: datetime) -> float:
    """Given in seconds or as a date, which is seen from this moment. Nonsense is nothing, more than a day is a day."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:12]), LONGEST_RETRY_AFTER_S)
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        # What it does with a hostile date depends on the date, and on Python's version.
        return 0.0
    aware = until if until.tzinfo else until.replace(tzinfo=UTC)
    return min(max((aware - at).total_seconds(), 0.0), LONGEST_RETRY_AFTER_S)
