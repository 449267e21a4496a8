"""Everything that a source lists, by key: the truth about what is there."""

from collections.abc import AsyncIterator, Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from assent_common.clock import to_utc

from assent_sagemaker import arns
from assent_sagemaker.aws.account import Document
from assent_sagemaker.aws.errors import Denied, Gone, Refused
from assent_sagemaker.aws.listing import list_model_package_groups, list_model_packages
from assent_sagemaker.aws.pages import Page, stretch
from assent_sagemaker.mapping.safe import json_safe
from assent_sagemaker.sync.changes import digest
from assent_sagemaker.sync.run import Run

_SECOND = timedelta(seconds=1)


class Listed(NamedTuple):
    #: As the listing spells it; empty where only Describe can tell.
    arn: str
    #: By what Describe knows it.
    name: str
    #: Empty where it was not in a listing.
    summary_hash: str
    created_at: datetime
    #: By another account, which does not show its tags.
    is_shared: bool = False

    def is_of(self, created_at: datetime) -> bool:
        """Whether it is the very thing that was created then. An index that lags may still show the one that had its
        name before."""
        return abs(self.created_at - created_at) < _SECOND


Listing = dict[str, Listed]


class Inventory(NamedTuple):
    groups: Listing
    packages: Listing
    #: Keys of shared groups whose packages may not be listed.
    closed: set[str]

    @property
    def keys(self) -> set[str]:
        return self.groups.keys() | self.packages.keys()


async def everything(run: Run) -> Inventory:
    """All groups and packages that the source is to read, those that others share with it among them. Complete, or it
    raises."""
    groups = await run.from_the_start_if_expired(lambda: _groups(run))
    try:
        packages = await run.from_the_start_if_expired(lambda: _collect(run, list_model_packages(run.account)))
    except Refused:
        # It does not know `Both`.
        packages = await one_by_one(run, [group.name for group in groups.values()])
    shared = await _shared(run, groups) if run.source.shared_groups else Inventory({}, {}, set())
    return Inventory(groups | shared.groups, shared.packages | packages, shared.closed)


async def registered(run: Run, *, after: datetime | None) -> Listing:
    """The packages registered after a moment. Raises Refused where that can't be asked for all groups at once."""
    listing = list_model_packages(run.account, created_after=after)
    return await _collect(run, listing)


async def some(run: Run, reached: datetime | None) -> tuple[Listing, datetime | None]:
    """About one page of the packages in the order of their creation, from where the last one ended."""
    listing = list_model_packages(run.account, created_after=_before(reached))
    summaries, reached = await stretch(listing, reached)
    return _packages(run, summaries), reached


async def some_groups(run: Run, reached: datetime | None) -> tuple[Listing, datetime | None]:
    """About one page of the account's own groups in the order of their creation, from where the last one ended."""
    listing = list_model_package_groups(run.account, created_after=_before(reached))
    summaries, reached = await stretch(listing, reached)
    return _wanted(run, summaries), reached


async def one_by_one(run: Run, groups: Iterable[str], *, after: datetime | None = None) -> Listing:
    """The packages without a group, and those of each of these groups, by name or ARN."""
    unversioned = list_model_packages(run.account, kind="Unversioned", created_after=after)
    listed = await _collect(run, unversioned)
    for group in groups:
        try:
            listed |= await _of_group(run, group, after=after)
        except Gone:
            continue
    return listed


def wants(run: Run, package: str) -> bool:
    """By its group's name; a package without a group by its own."""
    try:
        path = arns.Arn.parse(package).path
    except arns.NotAnArn:
        # Whoever maps it says what is wrong with it.
        return True
    return run.source.wants(path.partition("/")[0])


async def _groups(run: Run, *, shared: bool = False) -> Listing:
    listed: Listing = {}
    async for page in list_model_package_groups(run.account, cross_account=shared):
        run.heard()
        listed |= _wanted(run, page.records, is_shared=shared)
        await run.listed(len(page.records))
    return listed


async def _shared(run: Run, own: Listing) -> Inventory:
    """One call where nothing is shared; and one for each group that is."""
    try:
        groups = await run.from_the_start_if_expired(lambda: _groups(run, shared=True))
    except Refused as error:
        run.note(f"groups of other accounts can't be listed: {error}")
        return Inventory({}, {}, set())
    found = Inventory({key: group for key, group in groups.items() if key not in own}, {}, set())
    for key, group in list(found.groups.items()):
        try:
            found.packages.update(await _of_group(run, group.arn, is_shared=True))
        except Gone:
            # Not shared any more.
            del found.groups[key]
        except (Denied, Refused) as error:
            run.note(f"the versions of some shared groups may not be listed: {error}")
            found.closed.add(key)
    return found


async def _of_group(run: Run, group: str, *, after: datetime | None = None, is_shared: bool = False) -> Listing:
    async def read() -> Listing:
        listing = list_model_packages(run.account, group=group, created_after=after)
        return await _collect(run, listing, is_shared=is_shared)

    return await run.from_the_start_if_expired(read)


async def _collect(run: Run, listing: AsyncIterator[Page], *, is_shared: bool = False) -> Listing:
    listed: Listing = {}
    async for page in listing:
        listed |= _packages(run, page.records, is_shared=is_shared)
        await run.listed(len(page.records))
    return listed


def _wanted(run: Run, summaries: Iterable[Document], *, is_shared: bool = False) -> Listing:
    listed: Listing = {}
    for summary in summaries:
        arn, name = summary["ModelPackageGroupArn"], summary["ModelPackageGroupName"]
        # A shared group may be named by its ARN.
        if run.source.wants(name.rpartition("/")[2]):
            called = arn if is_shared else name
            listed[arns.key(arn)] = Listed(arn, called, _digest(summary), to_utc(summary["CreationTime"]), is_shared)
    return listed


def _packages(run: Run, summaries: Iterable[Document], *, is_shared: bool = False) -> Listing:
    listed: Listing = {}
    for summary in summaries:
        arn = summary["ModelPackageArn"]
        if wants(run, arn):
            listed[arns.key(arn)] = Listed(arn, arn, _digest(summary), to_utc(summary["CreationTime"]), is_shared)
    return listed


def _before(moment: datetime | None) -> datetime | None:
    """So that what was created at that very moment comes, too: the filter is for what is later."""
    return moment - _SECOND if moment else None


def _digest(summary: Document) -> str:
    return digest(json_safe(summary))
