"""Training jobs that only an artifact's address names, and that are not in the package's own account: an address tells
no account, and the job may have run in another one that some source reads.
"""

from collections.abc import Mapping
from datetime import datetime

import asyncpg

from assent_sagemaker import arns, state, training_jobs
from assent_sagemaker.mapping import jobs
from assent_sagemaker.mapping.documents import ModelPackage
from assent_sagemaker.mapping.jobs import Job
from assent_sagemaker.reports import retry_after
from assent_sagemaker.training_jobs import Due, Kept, Wanted

MOST = 10
"""Of so many other accounts each is asked; of more those alone whose number stands in the address, as in that of a
bucket that SageMaker made: each costs a call about a job."""

_VERSIONS = 20
"""So many of the versions that one job made are looked at for where it put them."""


async def elsewhere(
    connection: asyncpg.Connection, job: Due, readers: Mapping[str, str], gone: Kept, now: datetime
) -> tuple[Kept, list[Wanted]]:
    """What is known of it by those who read other accounts (`readers`: account → source), and who is to be asked yet;
    `gone`, once none of them has it. One of its name that put its model elsewhere is another job."""
    addresses = await _addresses(connection, job)
    wanted = [_in(account, readers[account], job) for account in _likely(readers, addresses)]
    known = await training_jobs.others(connection, job.source, [one.key for one in wanted])
    for other in known.values():
        found = Job.known(other.document, None).document
        if found is not None and found.model_artifacts.s3_model_artifacts in addresses:
            again_at = None if found.has_ended else now + retry_after(job.attempts + 1)
            return Kept(job.key, found.raw, None, job.attempts + 1, again_at), []
    left = [one for one in wanted if one.key not in known or not known[one.key].is_settled]
    if not left:
        return gone, []
    reason = gone.reason if len(known) == len(wanted) else None
    return Kept(job.key, None, reason, job.attempts + 1, now + retry_after(job.attempts + 1)), left


async def _addresses(connection: asyncpg.Connection, job: Due) -> set[str]:
    """Where what it made lies; nothing where its versions name it by its ARN, which tells the account."""
    keys = await training_jobs.made_by(connection, job.source, [job.key])
    found: set[str] = set()
    for version in (await state.known(connection, keys[:_VERSIONS])).values():
        package = ModelPackage.from_document(version.document)
        named = jobs.reference(package)
        if named is not None and named.found_by == "artifact":
            found |= {container.address for container in package.containers if container.address}
    return found


def _likely(accounts: Mapping[str, str], addresses: set[str]) -> list[str]:
    named = [account for account in accounts if any(account in address for address in addresses)]
    return named or (list(accounts) if addresses and len(accounts) <= MOST else [])


def _in(account: str, reader: str, job: Due) -> Wanted:
    here = arns.Arn.parse(job.arn)
    there = str(arns.sagemaker(here.region, account, here.kind, here.path))
    return Wanted(arns.key(there), there, reader)
