"""Reads metrics reports: as many at once as S3 and the event loop bear."""

import asyncio
from collections.abc import Mapping

from assent_sagemaker import metrics
from assent_sagemaker.aws.account import Account
from assent_sagemaker.aws.reports import Unchanged, fetch
from assent_sagemaker.mapping.documents import ModelPackage
from assent_sagemaker.mapping.metrics.read import Reading, Unreadable
from assent_sagemaker.parsing import parse
from assent_sagemaker.reports import Found, Reports, uris_of

AT_ONCE = 64

SOON_S = 5.0
"""So long what else is known of a batch of versions waits for its reports."""

_WITHIN_S = 60.0


class Reader:
    """Of one account's reports. Never fails: what can't be read says why."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._is_slow = False

    async def read_soon(self, wanted: Mapping[str, tuple[ModelPackage, Reports]]) -> dict[str, Found]:
        """What is read of each within some seconds; of those that take longer nothing.

        From the first that takes longer nothing more is waited for, be S3 slow, dead or out of reach: who needs it
        all the same reads it later.
        """
        if self._is_slow or not wanted:
            return {}
        reading = {key: asyncio.create_task(self.read(package, known)) for key, (package, known) in wanted.items()}
        try:
            _, late = await asyncio.wait(reading.values(), timeout=SOON_S)
            self._is_slow = self._is_slow or bool(late)
            return {key: task.result() for key, task in reading.items() if task.done()}
        finally:
            for task in reading.values():
                task.cancel()

    async def read(self, package: ModelPackage, known: Reports) -> Found:
        """All reports of one version; those of which is known what they say only if they were written anew."""
        uris = uris_of(package)
        ones = [self._one(uri, content_type, known.readings.get(uri)) for uri, content_type in uris.items()]
        # Most have but one, which needs no task beside this one.
        outcomes = [await ones[0]] if len(ones) == 1 else await asyncio.gather(*ones)
        return dict(zip(uris, outcomes, strict=True))

    async def _one(self, uri: str, content_type: str | None, before: Reading | None) -> Reading | Unreadable:
        async with self._slots:
            try:
                async with asyncio.timeout(_WITHIN_S):
                    outcome = await self._outcome(uri, content_type, before)
            except TimeoutError:
                outcome = Unreadable(reason=f"S3 did not give it within {_WITHIN_S:.0f} s")
        metrics.REPORTS.labels(_said(outcome, before)).inc()
        return outcome

    async def _outcome(self, uri: str, content_type: str | None, before: Reading | None) -> Reading | Unreadable:
        known = before if before is not None and before.is_up_to_date else None
        file = await fetch(self._account, uri, unless=known.etag if known else None)
        if isinstance(file, Unreadable):
            return file
        if isinstance(file, Unchanged):
            assert known is not None
            return known
        outcome = await parse(file.body, content_type)
        if isinstance(outcome, Unreadable):
            return outcome
        evidence = {"etag": file.etag, "version_id": file.version_id, "written_at": file.written_at}
        return outcome.model_copy(update=evidence)


def _said(outcome: Reading | Unreadable, before: Reading | None) -> str:
    if isinstance(outcome, Unreadable):
        return "unreadable"
    return "unchanged" if outcome is before else "read"
