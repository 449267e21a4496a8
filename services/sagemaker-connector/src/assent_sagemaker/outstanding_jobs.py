"""The training jobs that are due: those that a version was the first to name, those that could not be read, and those
that had not ended.

By Search, which shows twenty a call; what it does not show is described, one by one and slowly, for SageMaker bears few
calls about jobs.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from assent_common.clock import Clock
from assent_common.database import Database

from assent_sagemaker import arns, state, training_jobs
from assent_sagemaker.aws.account import Account
from assent_sagemaker.aws.describe import describe_training_job
from assent_sagemaker.aws.errors import AwsError, Gone
from assent_sagemaker.aws.search import named
from assent_sagemaker.backlog import Backlog
from assent_sagemaker.mapping.documents import Unmappable
from assent_sagemaker.mapping.jobs import TrainingJobDocument
from assent_sagemaker.reading import Reader
from assent_sagemaker.reports import retry_after
from assent_sagemaker.sync.observe import Observer, batches
from assent_sagemaker.training_jobs import Due, Kept
from assent_sagemaker.writer import Holding


def backlog(holdings: Callable[[], Iterable[Holding]], database: Database, clock: Clock) -> Backlog[Due]:
    async def read(holding: Holding, due: list[Due]) -> None:
        await _read_and_tell(holding, due, database, clock)

    return Backlog("training jobs", training_jobs.take_due, read, holdings, database, clock)


async def _read_and_tell(holding: Holding, due: list[Due], database: Database, clock: Clock) -> None:
    shown = await _searched(holding.account, due)
    if found := [job for job in due if job.key in shown]:
        await _tell(holding, [_read(job, shown[job.key], clock.now()) for job in found], database, clock)
    for job in due:
        if job.key not in shown:
            await _tell(holding, [await _described(holding.account, job, clock)], database, clock)


async def _tell(holding: Holding, kept: list[Kept], database: Database, clock: Clock) -> None:
    source = holding.source.name
    # Told before it is settled: should this end in between, the jobs are still due, and all of it happens again.
    async with holding.held.transaction() as uow:
        await training_jobs.keep(await uow.sql(), kept, settled=False)
    async with database.connection() as connection:
        versions = await training_jobs.made_by(connection, source, [job.key for job in kept])
    observer = Observer(source, database, holding.held.transaction, Reader(holding.account), clock)
    for keys in batches(versions):
        async with database.connection() as connection:
            known = await state.known(connection, keys)
        await observer.again(list(known.values()))
    async with holding.held.transaction() as uow:
        await training_jobs.keep(await uow.sql(), kept, settled=True)


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


async def _described(account: Account, job: Due, clock: Clock) -> Kept:
    try:
        document = await describe_training_job(account, arns.Arn.parse(job.arn).path)
    except Gone:
        return _never(job, "there is no training job of this name (any more)")
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
