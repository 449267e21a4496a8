"""Everything that a source has: List says what is there, Search or Describe what it is like.

A reading that was left in its middle goes on where it stopped: packages and groups are read in the order of their
creation, and how far that got is committed with each batch.
"""

import random
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from assent_common.clock import to_utc
from assent_common.events.registry import Kind

from assent_sagemaker import arns, state
from assent_sagemaker.aws import pages
from assent_sagemaker.aws.account import Document
from assent_sagemaker.aws.errors import Denied, Refused
from assent_sagemaker.aws.search import last_change, search
from assent_sagemaker.sync import deployments, describe, listing, removals, rounds, views
from assent_sagemaker.sync.listing import Inventory, Listed, Listing
from assent_sagemaker.sync.observe import Read, Seen, Tags
from assent_sagemaker.sync.plan import Plan, SearchUseless, compare
from assent_sagemaker.sync.rounds import Rounds
from assent_sagemaker.sync.run import Run, in_parallel

SAMPLE = 3
"""So many packages of each full run are described, to see whether Search says the same."""

DESCRIBED = 3
"""So many packages of a page of Search that were registered after the listing are described; more are listed anew."""

READ_AT_ONCE = 2
"""So many pages at once: while the one waits for its last reports, the next begins with its first."""

_KINDS = (Kind.MODEL, Kind.MODEL_VERSION)


class Shown(NamedTuple):
    """A package on a page of Search."""

    arn: str
    created_at: datetime

    @property
    def key(self) -> str:
        return arns.key(self.arn)


class Page(NamedTuple):
    """A page of Search, of what the source is to read."""

    shown: Sequence[Shown]
    #: With what the reports said; or else, where there is no room for that before it is asked for, as it came.
    read: Read | Sequence[Seen]
    #: When the last of all on it was created.
    reached: datetime | None
    #: When a package was last modified, as Search said before its first page.
    last_change: datetime | None


async def full(run: Run) -> str:
    """Read the whole source. Why it was read by the plan it was read by. Raises AwsError: then nothing was removed."""
    if Kind.MODEL not in run.progress.counted:
        await _registry(run)
    await deployments.full(run)
    if run.source.plan == "describe":
        return "chosen in the source's settings"
    return run.progress.search_useless or "Search answers, and a sample of it agrees with Describe"


async def _registry(run: Run) -> None:
    run.counts["listed"] = 0
    await run.account.meet()
    await run.enter("listing")
    async with AsyncExitStack() as stack:
        by_search = run.source.plan != "describe" and not run.progress.search_useless
        early = await stack.enter_async_context(_pages(run)) if by_search else None
        found = await listing.everything(run)
        run.counts["listed"] = len(found.groups) + len(found.packages)
        there = found.keys
        there |= await _of_closed(run, found)
        others = await views.see(run, found)
        mine = Inventory(_without(found.groups, others), _without(found.packages, others), found.closed)
        round_again = await rounds.of(run)
        if early is not None:
            try:
                there |= await _by_search(run, mine, others, round_again, early)
                round_again.suspect = None
            except SearchUseless as error:
                if run.source.plan == "search":
                    raise
                await stack.aclose()
                round_again.suspect = error.suspect
                run.progress.search_useless = str(error)
                run.progress.begin_reading_again()
                by_search = False
        if not by_search:
            there |= await _by_describe(run, mine)
    now = run.clock.now()
    await rounds.keep(run, Rounds(groups_at=now, sampled_at=now, suspect=round_again.suspect))
    await removals.count_listing(run, _KINDS, there)


async def _of_closed(run: Run, found: Inventory) -> set[str]:
    """What is kept of groups whose packages may not be listed: nothing says that it is gone."""
    if not found.closed:
        return set()
    async with run.held.database.connection() as connection:
        return await state.keys_of_models(connection, found.closed)


async def _by_describe(run: Run, mine: Inventory) -> set[str]:
    run.plan = Plan.DESCRIBE
    _mark(run, mine.packages, None)
    await run.enter("describing")
    groups = await _to_describe(run, mine.groups, run.progress.groups)
    await describe.groups(run, groups, in_order=True)
    packages = await _to_describe(run, mine.packages, run.progress.packages)
    return await describe.packages(run, packages, in_order=True)


async def _to_describe(run: Run, listed: Listing, reached: datetime | None) -> list[Listed]:
    """In the order of their creation, but for what was described before the run was taken up, and still looks so."""
    before = {key: one for key, one in listed.items() if reached is not None and one.created_at < reached}
    changed = await describe.different(run, before)
    rest = (one for key, one in listed.items() if key not in before)
    return sorted([*changed, *rest], key=lambda one: (one.created_at, one.arn))


async def _by_search(
    run: Run, mine: Inventory, others: set[str], round_again: Rounds, early: AsyncIterator[Page]
) -> set[str]:
    """Also the keys of what Search has and the listing, which was begun before, has not. `early` are its pages, unless
    they have to be begun again. Raises SearchUseless."""
    run.plan = Plan.SEARCH
    groups_since, since = run.progress.groups, run.progress.packages
    unseen_groups, unseen = dict(mine.groups), dict(mine.packages)
    begun = [nullcontext(early)]

    async def read() -> set[str]:
        await _search_groups(run, mine.groups, unseen_groups)
        # Before their packages, which inherit their tags.
        await describe.groups(run, await _not_kept(run, unseen_groups, groups_since))
        unseen_groups.clear()
        async with begun.pop() if begun else _pages(run) as shown:
            more = await _search_packages(run, shown, mine.packages, others, sample, unseen)
        await _search_shared(run, mine.packages, unseen)
        return more

    try:
        await run.enter("searching")
        sample = await _sample(run, mine.packages, since, round_again.suspect)
        more = await run.from_the_start_if_expired(read)
    except (Denied, Refused) as error:
        raise SearchUseless(f"Search is not to be had: {error}") from error
    await run.enter("describing")
    return more | await describe.packages(run, await _not_kept(run, unseen, since))


def _mark(run: Run, listed: Listing, last: datetime | None) -> None:
    """From where the next poll goes on. A run that is taken up has not seen what changed since it was left."""
    if run.watermark is None:
        run.saw(last, *(package.created_at for package in listed.values()))


async def _search_groups(run: Run, listed: Listing, unseen: Listing) -> None:
    """The account's own groups, those alone that are listed, spelled as there."""
    async for page in search(run.account, "ModelPackageGroup", created_since=run.progress.groups):
        batch = []
        for document in page.records:
            key = arns.key(document["ModelPackageGroupArn"])
            if key in listed and listed[key].is_of(document["CreationTime"]):
                batch.append(Seen({**document, "ModelPackageGroupArn": listed[key].arn}))
                unseen.pop(key, None)
        if page.records:
            run.progress.groups = to_utc(page.records[-1]["CreationTime"])
        await run.observer.groups(batch)


@asynccontextmanager
async def _pages(run: Run) -> AsyncIterator[AsyncIterator[Page]]:
    """What Search shows, and mostly what its reports say, too, read while the pages before are kept, and while what is
    there is still being listed."""

    async def shown() -> AsyncIterator[tuple[pages.Page, datetime | None]]:
        last = await last_change(run.account)
        async for page in search(run.account, "ModelPackage", created_since=run.progress.packages):
            yield page, last

    async def read(page_and_last: tuple[pages.Page, datetime | None]) -> Page:
        page, last = page_and_last
        wanted = [document for document in page.records if listing.wants(run, document["ModelPackageArn"])]
        seen = [Seen(document) for document in wanted]
        return Page(
            [Shown(document["ModelPackageArn"], to_utc(document["CreationTime"])) for document in wanted],
            seen if run.held.room.is_crowded else await run.observer.read(seen),
            to_utc(page.records[-1]["CreationTime"]) if page.records else None,
            last,
        )

    with run.held.room.ahead() as places:
        async with pages.ahead(shown(), read, places=places, at_once=READ_AT_ONCE) as those:
            yield those


async def _search_packages(
    run: Run,
    shown: AsyncIterator[Page],
    listed: Listing,
    others: set[str],
    sample: Mapping[str, Document],
    unseen: Listing,
) -> set[str]:
    """Of what Search shows that which is there: an index that lags shows what is deleted, too. The keys of what is
    there and was not listed."""
    there = listed
    more: set[str] = set()
    async for page in shown:
        # What changes while the pages are read may change on one that was read already.
        _mark(run, listed, page.last_change)
        if since := await _registered_since(run, page.shown, there, others):
            there = there | since
            more |= since.keys()
        right, unlisted = set(), []
        for one in page.shown:
            if one.key in there:
                if there[one.key].is_of(one.created_at):
                    right.add(one.key)
                    unseen.pop(one.key, None)
            elif one.key not in others:
                unlisted.append(Listed(one.arn, one.arn, "", one.created_at))
        if isinstance(page.read, Read):
            await _keep(run, page.read, page.reached, right, sample)
        else:
            async with run.held.room.understanding:
                await _keep(run, await run.observer.read(page.read), page.reached, right, sample)
        more |= await describe.packages(run, unlisted)
        # Not in memory while the next one is waited for.
        del page
    return more


async def _keep(
    run: Run, read: Read, reached: datetime | None, right: Collection[str], sample: Mapping[str, Document]
) -> None:
    for parsed in read.parsed:
        if parsed.key in sample:
            compare(parsed.package.raw, sample[parsed.key])
    run.progress.packages = reached or run.progress.packages
    await run.observer.keep(read.only(right), confirmed=True)


async def _registered_since(run: Run, shown: Sequence[Shown], listed: Listing, others: set[str]) -> Listing:
    """A listing of what was registered since the last one, where that is more than is worth describing: of thousands
    that are registered while the source is read, each would cost a call."""
    unknown = [one for one in shown if one.key not in listed and one.key not in others]
    if len(unknown) <= DESCRIBED:
        return {}
    newest = max((one.created_at for one in listed.values()), default=unknown[0].created_at)
    # What is older and not listed was deleted, and the index lags.
    if sum(one.created_at >= newest for one in unknown) <= DESCRIBED:
        return {}
    try:
        since = await listing.registered(run, after=newest - timedelta(seconds=1))
    except Refused:
        return {}
    return {key: one for key, one in since.items() if key not in others}


async def _search_shared(run: Run, listed: Listing, unseen: Listing) -> None:
    """What others share, where Search shows that at all; their groups are described, for these are few."""
    if not any(package.is_shared for package in listed.values()):
        return
    async for page in search(run.account, "ModelPackage", cross_account=True):
        batch = []
        for document in page.records:
            key = arns.key(document["ModelPackageArn"])
            if key in listed and listed[key].is_shared and listed[key].is_of(document["CreationTime"]):
                unseen.pop(key, None)
                batch.append(Seen(document, Tags.UNREAD))
        await run.observer.packages(batch, confirmed=True)


async def _not_kept(run: Run, unseen: Listing, since: datetime | None) -> list[Listed]:
    """What is listed and Search does not show. Of what it showed before the run was taken up, what is not kept."""
    if since is None:
        return list(unseen.values())
    before = [key for key, one in unseen.items() if one.created_at < since]
    async with run.held.database.connection() as connection:
        kept = await state.living(connection, before)
    return [one for key, one in unseen.items() if key not in kept]


async def _sample(
    run: Run, packages: Listing, since: datetime | None, suspect: str | None
) -> dict[str, Mapping[str, Any]]:
    """Of those own packages that are yet to be read."""
    among = sorted(
        key for key, one in packages.items() if not one.is_shared and (since is None or one.created_at >= since)
    )
    chosen = random.SystemRandom().sample(among, min(SAMPLE, len(among)))
    if suspect is not None and arns.key(suspect) in among and arns.key(suspect) not in chosen:
        chosen.append(arns.key(suspect))
    documents = await in_parallel(lambda key: describe.package(run, packages[key].arn), chosen)
    return {key: document for key, document in zip(chosen, documents, strict=True) if document is not None}


def _without(listed: Listing, keys: set[str]) -> Listing:
    return {key: one for key, one in listed.items() if key not in keys} if keys else listed
