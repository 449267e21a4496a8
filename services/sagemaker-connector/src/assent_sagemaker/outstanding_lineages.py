"""The versions about which SageMaker's lineage is to be asked: those whose training job nothing else tells.

One after the other and in a lane of their own: nobody waits for them, and what polls ask goes on beside.
"""

from collections.abc import Callable, Iterable
from datetime import datetime

from assent_common.clock import Clock
from assent_common.database import Database

from assent_sagemaker import lineages, state
from assent_sagemaker.aws.account import Account
from assent_sagemaker.aws.errors import AwsError, CredentialsExpired, Denied, Gone, TokenExpired, Unavailable
from assent_sagemaker.aws.lineage import training_job_of
from assent_sagemaker.backlog import Backlog, Size
from assent_sagemaker.lineages import Answer, Due
from assent_sagemaker.reading import Reader
from assent_sagemaker.reports import LONGEST_RETRY, retry_after
from assent_sagemaker.sync.observe import Observer
from assent_sagemaker.writer import Holding

SIZE = Size(batch=20, of_a_source=1)
"""So few that they are done before they come due again, at the slowest rate that SageMaker may allow."""

SAID_AFTER = 3
"""So often in a row a passing fault is tried again before the version says that its job is not known for that."""


def backlog(holdings: Callable[[], Iterable[Holding]], database: Database, clock: Clock) -> Backlog[Due]:
    async def read(holding: Holding, due: list[Due]) -> None:
        await _ask_and_tell(holding, due, database, clock)

    return Backlog("lineage", lineages.take_due, read, holdings, database, clock, SIZE)


async def _ask_and_tell(holding: Holding, due: list[Due], database: Database, clock: Clock) -> None:
    answers = await _asked(holding.account, due, clock)
    # Told before they are settled: should this end in between, they are still due, and all of it happens again.
    async with holding.held.transaction() as uow:
        await lineages.keep(await uow.sql(), answers, settled=False)
    if telling := [answer.of.key for answer in answers if answer.tells]:
        async with database.connection() as connection:
            known = await state.known(connection, telling)
        observer = Observer(holding.source.name, database, holding.held.transaction, Reader(holding.account), clock)
        await observer.again(list(known.values()))
    async with holding.held.transaction() as uow:
        await lineages.keep(await uow.sql(), answers, settled=True)


async def _asked(account: Account, due: list[Due], clock: Clock) -> list[Answer]:
    """What hinders the first hinders all of them: the others are not asked about, then."""
    answers = []
    hindered: AwsError | None = None
    for one in due:
        if hindered is None:
            try:
                answers.append(Answer(one, await training_job_of(account, one.urn), None, 0, None))
            except Gone:
                answers.append(Answer(one, None, None, 0, None))
            except (Denied, Unavailable, CredentialsExpired) as error:
                hindered = error
            except AwsError as error:
                answers.append(_later(one, error, clock.now()))
        if hindered is not None:
            answers.append(_later(one, hindered, clock.now()))
    return answers


def _later(one: Due, error: AwsError, now: datetime) -> Answer:
    attempts = one.attempts + 1
    is_passing = isinstance(error, Unavailable | CredentialsExpired | TokenExpired)
    reason = one.reason if is_passing and attempts < SAID_AFTER else str(error)
    again_in = LONGEST_RETRY if isinstance(error, Denied) else retry_after(attempts)
    return Answer(one, None, reason, attempts, now + again_in)
