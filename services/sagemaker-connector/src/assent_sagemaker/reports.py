"""What is known of a version's metrics reports, and when to look at them again."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zlib import crc32

from assent_common.events.model import Json, Payload

from assent_sagemaker.mapping.documents import ModelPackage
from assent_sagemaker.mapping.metrics.read import Reading, Unreadable
from assent_sagemaker.mapping.reports import Outcomes, reports_of

FIRST_RETRY = timedelta(seconds=15)
LONGEST_RETRY = timedelta(hours=6)

CHECK_EVERY = timedelta(days=1)
"""About so often a report is asked for again, in case that it was written over in its place: nothing tells of that. It
costs a GET that is answered by *not modified*."""

Found = Mapping[str, Reading | Unreadable]
"""What an attempt at all reports of a version came to, by URI."""


class _Written(Payload):
    readings: dict[str, Reading]
    unreadable: dict[str, str]


@dataclass(frozen=True, slots=True)
class Reports:
    """Of one version, by URI. A report that is in neither has not been read yet."""

    #: What each said when it was last read: it stands while it can't be read again.
    readings: Mapping[str, Reading] = field(default_factory=dict)
    #: Why those that could not be read the last time could not.
    unreadable: Mapping[str, str] = field(default_factory=dict)
    #: How often in a row some could not be read.
    attempts: int = 0
    #: When to read them, try again, or look whether they are still the same; none where there are none.
    due_at: datetime | None = None

    @classmethod
    def read(cls, written: Json, attempts: int, due_at: datetime | None) -> "Reports":
        known = _Written.model_validate(written)
        return cls(known.readings, known.unreadable, attempts, due_at)

    def written(self) -> str:
        return _Written(readings=dict(self.readings), unreadable=dict(self.unreadable)).model_dump_json()

    @property
    def outcomes(self) -> Outcomes:
        failed = {uri: Unreadable(reason=reason) for uri, reason in self.unreadable.items()}
        return Outcomes(now=failed, before=self.readings)

    def lack(self, package: ModelPackage) -> bool:
        """Whether one was never tried, or would be read otherwise by now."""
        known = self.readings.keys() | self.unreadable.keys()
        return not (uris_of(package).keys() <= known and all(r.is_up_to_date for r in self.readings.values()))

    def are_due(self, now: datetime) -> bool:
        return self.due_at is not None and self.due_at <= now

    def pending(self, package: ModelPackage, now: datetime) -> "Reports":
        """Not read this time: the values last read stand, and they are to be read soon."""
        uris = uris_of(package)
        return Reports(
            {uri: reading for uri, reading in self.readings.items() if uri in uris},
            {uri: reason for uri, reason in self.unreadable.items() if uri in uris},
            self.attempts,
            now if uris else None,
        )

    def after(self, found: Found, now: datetime) -> "Reports":
        """With what a new attempt at all of them found."""
        readings: dict[str, Reading] = {}
        unreadable: dict[str, str] = {}
        for uri, outcome in found.items():
            if isinstance(outcome, Reading):
                readings[uri] = outcome
            else:
                unreadable[uri] = outcome.reason
                if uri in self.readings:
                    readings[uri] = self.readings[uri]
        if unreadable:
            return Reports(readings, unreadable, self.attempts + 1, now + retry_after(self.attempts + 1))
        return Reports(readings, {}, 0, now + _check_after(found) if found else None)


def retry_after(attempts: int) -> timedelta:
    """15 s after the first failure, twice as long after each more, up to six hours."""
    return min(FIRST_RETRY * (1 << min(attempts - 1, 20)), LONGEST_RETRY)


def uris_of(package: ModelPackage) -> dict[str, str | None]:
    return {named.source.s3_uri: named.source.content_type for named in reports_of(package)}


def are_of(package: ModelPackage, found: Found) -> bool:
    """Whether the attempt was at the very reports that the package names."""
    return found.keys() == uris_of(package).keys()


def _check_after(found: Found) -> timedelta:
    """Between a half and one and a half of `CHECK_EVERY`, so that what was read in one hour is not due in one hour."""
    return CHECK_EVERY * (0.5 + crc32("".join(sorted(found)).encode()) / 2**32)
