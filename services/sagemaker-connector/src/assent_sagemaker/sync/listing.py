"""Everything that a source lists, by key: the truth about what is there."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, NamedTuple

from assent_common.clock import to_utc

from assent_sagemaker import arns
from assent_sagemaker.aws.errors import Gone, Refused
from assent_sagemaker.aws.listing import list_model_package_groups, list_model_packages
from assent_sagemaker.aws.pages import Page
from assent_sagemaker.mapping.safe import json_safe
from assent_sagemaker.sync.changes import digest
from assent_sagemaker.sync.run import Run


class Listed(NamedTuple):
    #: As the listing spells it.
    arn: str
    name: str
    summary_hash: str


Listing = dict[str, Listed]


async def groups(run: Run) -> Listing:
    """The groups that the source is to read. Complete, or it raises."""

    async def read() -> Listing:
        listed: Listing = {}
        async for page in list_model_package_groups(run.account):
            run.heard()
            for summary in page.records:
                name = summary["ModelPackageGroupName"]
                if run.source.wants(name):
                    arn = summary["ModelPackageGroupArn"]
                    listed[arns.key(arn)] = Listed(arn, name, _digest(summary))
            await run.listed(len(page.records))
        return listed

    return await run.from_the_start_if_expired(read)


async def packages(run: Run, of_groups: Listing, *, created_after: datetime | None = None) -> Listing:
    """The packages that the source is to read, of any group and of none. Complete, or it raises."""

    async def everything() -> Listing:
        return await _collect(run, list_model_packages(run.account, created_after=created_after))

    async def unversioned() -> Listing:
        listing = list_model_packages(run.account, kind="Unversioned", created_after=created_after)
        return await _collect(run, listing)

    async def of(group: Listed) -> Listing:
        listing = list_model_packages(run.account, group=group.name, created_after=created_after)
        return await _collect(run, listing)

    try:
        return await run.from_the_start_if_expired(everything)
    except Refused:
        listed = await run.from_the_start_if_expired(unversioned)
        for group in of_groups.values():
            try:
                listed |= await run.from_the_start_if_expired(lambda group=group: of(group))  # type: ignore[misc]
            except Gone:
                continue
        return listed


async def _collect(run: Run, listing: AsyncIterator[Page]) -> Listing:
    listed: Listing = {}
    async for page in listing:
        for summary in page.records:
            arn = summary["ModelPackageArn"]
            if wants(run, arn):
                listed[arns.key(arn)] = Listed(arn, arn, _digest(summary))
                run.saw(to_utc(summary["CreationTime"]))
        await run.listed(len(page.records))
    return listed


def wants(run: Run, package: str) -> bool:
    """By its group's name; a package without a group by its own."""
    try:
        path = arns.Arn.parse(package).path
    except arns.NotAnArn:
        # Whoever maps it says what is wrong with it.
        return True
    return run.source.wants(path.partition("/")[0])


def _digest(summary: Any) -> str:
    return digest(json_safe(summary))
