"""What is known of a version's metrics reports, and when to look at them again."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from assent_common.events.model import Json, Payload

from assent_sagemaker import metrics
from assent_sagemaker.aws.account import Account
from assent_sagemaker.aws.reports import fetch
from assent_sagemaker.mapping.documents import ModelPackage
from assent_sagemaker.mapping.metrics.read import Reading, Unreadable, read
from assent_sagemaker.mapping.reports import Outcomes, reports_of

FIRST_RETRY = timedelta(seconds=15)
LONGEST_RETRY = timedelta(hours=6)
_READ_IN_A_THREAD = 64 * 1024
_WITHIN_S = 90.0
_AT_ONCE = 16


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
    #: When to try again; none where nothing is outstanding.
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

    def pending(self, package: ModelPackage, now: datetime) -> "Reports":
        """Not read this time: the values last read stand, and they are to be read soon."""
        uris = uris_of(package)
        return Reports(
            {uri: reading for uri, reading in self.readings.items() if uri in uris},
            {uri: reason for uri, reason in self.unreadable.items() if uri in uris},
            self.attempts,
            now if uris else None,
        )

    def after(self, found: Mapping[str, Reading | Unreadable], now: datetime) -> "Reports":
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
        attempts = self.attempts + 1 if unreadable else 0
        return Reports(readings, unreadable, attempts, now + retry_after(attempts) if unreadable else None)


def retry_after(attempts: int) -> timedelta:
    """15 s after the first failure, twice as long after each more, up to six hours."""
    return min(FIRST_RETRY * (1 << min(attempts - 1, 20)), LONGEST_RETRY)


class Reader:
    """Reads the reports of a source's versions, a few at a time. Never fails: what can't be read says why."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def read(self, package: ModelPackage) -> dict[str, Reading | Unreadable]:
        """All reports of one version, by URI."""
        uris = uris_of(package)
        outcomes = await asyncio.gather(*(self._one(uri, content_type) for uri, content_type in uris.items()))
        return dict(zip(uris, outcomes, strict=True))

    async def _one(self, uri: str, content_type: str | None) -> Reading | Unreadable:
        async with self._slots:
            outcome = await self._outcome(uri, content_type)
        metrics.REPORTS.labels("read" if isinstance(outcome, Reading) else "unreadable").inc()
        return outcome

    async def _outcome(self, uri: str, content_type: str | None) -> Reading | Unreadable:
        try:
            async with asyncio.timeout(_WITHIN_S):
                file = await fetch(self._account, uri)
        except TimeoutError:
            return Unreadable(reason=f"S3 did not give it within {_WITHIN_S:.0f} s")
        if isinstance(file, Unreadable):
            return file
        if len(file.body) < _READ_IN_A_THREAD:
            return read(file.body, content_type)
        return await asyncio.to_thread(read, file.body, content_type)


def uris_of(package: ModelPackage) -> dict[str, str | None]:
    return {named.source.s3_uri: named.source.content_type for named in reports_of(package)}
