"""The training jobs that are due: those that a version was the first to name, those that could not be read, and those
that had not ended.

By Search, which shows twenty a call; what it does not show is described, one by one and slowly, for SageMaker bears few
calls about jobs. A job that ran in another account or region is read by the source that reads there, and so is one of
which only an artifact's address tells and that is not in the package's own account.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from assent_common.clock import Clock
from assent_common.database import Database

from assent_sagemaker import arns, jobs_elsewhere, sources_state, state, training_jobs
from assent_sagemaker.aws.account import Account
from assent_sagemaker.aws.describe import describe_training_job
from assent_sagemaker.aws.errors import AwsError, Gone
from assent_sagemaker.aws.limiter import Family
from assent_sagemaker.aws.search import named
from assent_sagemaker.backlog import Backlog
from assent_sagemaker.mapping.documents import Unmappable
from assent_sagemaker.mapping.jobs import Job, TrainingJobDocument
from assent_sagemaker.reading import Reader
from assent_sagemaker.reports import LONGEST_RETRY, retry_after
from assent_sagemaker.sources import Source
from assent_sagemaker.sync.observe import Observer, batches
from assent_sagemaker.training_jobs import Due, Kept, Other, Wanted
from assent_sagemaker.writer import Holding


def backlog(
    holdings: Callable[[], Iterable[Holding]], roster: Mapping[str, Source], database: Database, clock: Clock
) -> Backlog[Due]:
    """`roster` are all sources, whoever holds them: each reads the jobs of its account and region for the others."""

    async def read(holding: Holding, due: list[Due]) -> None:
        await _Reading(holding, roster, database, clock).read_and_tell(due)

    return Backlog("training jobs", training_jobs.take_due, read, holdings, database, clock)


class _Reading:
    def __init__(self, holding: Holding, roster: Mapping[str, Source], database: Database, clock: Clock) -> None:
        self._source = holding.source
        self._account = holding.account
        self._held = holding.held
        self._roster = roster
        self._database = database
        self._clock = clock

    async def read_and_tell(self, due: list[Due]) -> None:
        async with self._database.connection() as connection:
            others = await training_jobs.others(connection, self._source.name, [job.key for job in due])
            accounts = {name: source.account for name, source in self._roster.items() if source.account}
            accounts = await sources_state.accounts(connection) | accounts
        own = accounts.get(self._source.name) or await self._own_account()
        taken = [kept for job in due if (kept := _ended(job, others.get(job.key)))]
        await self._tell(taken)
        left = [job for job in due if job.key not in {kept.key for kept in taken}]
        abroad = [job for job in left if self._is_abroad(job, own)]
        readers = {job.key: self._reader(job, accounts) for job in abroad}
        await self._tell(
            [self._from_abroad(job, others.get(job.key), readers[job.key]) for job in abroad],
            wanted=[Wanted(job.key, job.arn, reader) for job in abroad if (reader := readers[job.key])],
        )
        elsewhere = {n: account for n, account in accounts.items() if n in self._roster and account != own}
        await self._read([job for job in left if job not in abroad], elsewhere)

    async def _read(self, due: list[Due], elsewhere: Mapping[str, str]) -> None:
        """`elsewhere`: the sources of other accounts, and which."""
        shown = await _searched(self._account, due)
        found = [_read(job, shown[job.key], self._clock.now()) for job in due if job.key in shown]
        await self._tell(found, is_news=True)
        for job in due:
            if job.key not in shown:
                kept, wanted = await self._described(job, elsewhere)
                await self._tell([kept], wanted=wanted, is_news=True)

    async def _described(self, job: Due, elsewhere: Mapping[str, str]) -> tuple[Kept, list[Wanted]]:
        """What came of it, and whom to ask for it."""
        kept = await _described(self._account, job, self._clock)
        if kept is not None:
            return kept, []
        gone = _never(job, "there is no training job of this name (any more)")
        region = arns.Arn.parse(job.arn).region
        readers = {elsewhere[n]: n for n in sorted(elsewhere, reverse=True) if self._roster[n].region == region}
        async with self._database.connection() as connection:
            return await jobs_elsewhere.elsewhere(connection, job, readers, gone, self._clock.now())

    async def _own_account(self) -> str | None:
        """Of a source without a role that was not read whole yet. Nobody needs a permission to ask."""
        try:
            account: str = (await self._account.call("sts", "get_caller_identity", Family.DESCRIBE))["Account"]
        except AwsError:
            return None
        async with self._held.transaction() as uow:
            await sources_state.reads_account(await uow.sql(), self._source.name, account)
        return account

    def _is_abroad(self, job: Due, account: str | None) -> bool:
        """Whether it ran where this source can't read."""
        ran = arns.Arn.parse(job.arn)
        return ran.region != self._source.region or account not in (None, ran.account)

    def _reader(self, job: Due, accounts: Mapping[str, str]) -> str | None:
        """The source that can read it."""
        ran = arns.Arn.parse(job.arn)
        there = (ran.region, ran.account)
        return min((n for n, one in self._roster.items() if (one.region, accounts.get(n)) == there), default=None)

    def _from_abroad(self, job: Due, other: Other | None, reader: str | None) -> Kept:
        """What others know of it so far."""
        ran, now = arns.Arn.parse(job.arn), self._clock.now()
        if reader is None:
            reason = f"it ran in account {ran.account}, region {ran.region}, which no source reads"
            return Kept(job.key, None, reason, job.attempts + 1, now + LONGEST_RETRY)
        again_at = now + retry_after(job.attempts + 1)
        if other is None:
            return Kept(job.key, None, None, job.attempts + 1, again_at)
        return Kept(job.key, other.document, other.reason, job.attempts + 1, again_at)

    async def _tell(self, kept: list[Kept], *, wanted: Collection[Wanted] = (), is_news: bool = False) -> None:
        if not kept:
            return
        name = self._source.name
        # Told before it is settled: should this end in between, the jobs are still due, and all of it happens again.
        async with self._held.transaction() as uow:
            await training_jobs.keep(await uow.sql(), name, kept, settled=False)
        async with self._database.connection() as connection:
            versions = await training_jobs.made_by(connection, name, [job.key for job in kept])
        observer = Observer(name, self._database, self._held.transaction, Reader(self._account), self._clock)
        for keys in batches(versions):
            async with self._database.connection() as connection:
                known = await state.known(connection, keys)
            await observer.again(list(known.values()))
        async with self._held.transaction() as uow:
            connection = await uow.sql()
            await training_jobs.keep(connection, name, kept, settled=True)
            await training_jobs.await_reading(connection, name, wanted, self._clock.now())
            if is_news:
                await training_jobs.wake(connection, name, kept, self._clock.now())


def _ended(due: Due, other: Other | None) -> Kept | None:
    """What another source has read, if nothing of it changes any more."""
    job = Job.known(other.document, None).document if other is not None else None
    return Kept(due.key, job.raw, None, 0, None) if job is not None and job.has_ended else None


async def _searched(account: Account, due: Collection[Due]) -> Mapping[str, Mapping[str, Any]]:
    """Those that Search shows, by key; where it is not to be had, none."""
    names = {job.key: arns.Arn.parse(job.arn).path for job in due}
    shown: dict[str, Mapping[str, Any]] = {}
    try:
        async for page in named(account, "TrainingJob", names.values()):
            shown |= {arns.key(record["TrainingJobArn"]): record for record in page.records}
    except AwsError:
        return shown
    return shown


async def _described(account: Account, job: Due, clock: Clock) -> Kept | None:
    """None where the account has none of this name."""
    try:
        document = await describe_training_job(account, arns.Arn.parse(job.arn).path)
    except Gone:
        return None
    except AwsError as error:
        return _later(job, str(error), clock.now())
    return _read(job, document, clock.now())


def _read(job: Due, document: Mapping[str, Any], now: datetime) -> Kept:
    try:
        read = TrainingJobDocument.from_document(document)
    except Unmappable as error:
        return _later(job, str(error), now)
    if arns.key(read.training_job_arn) != job.key:
        # Described by its name, which another account has, too.
        return _never(job, "it ran in another account or region than this source reads")
    if read.has_ended:
        return Kept(job.key, read.raw, None, 0, None)
    return Kept(job.key, read.raw, None, job.attempts + 1, now + retry_after(job.attempts + 1))


def _later(job: Due, reason: str, now: datetime) -> Kept:
    return Kept(job.key, None, reason, job.attempts + 1, now + retry_after(job.attempts + 1))


def _never(job: Due, reason: str) -> Kept:
    return Kept(job.key, None, reason, job.attempts, None)
