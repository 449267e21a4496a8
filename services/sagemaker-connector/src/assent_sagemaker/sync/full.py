"""Everything that a source has: List says what is there, Search or Describe what it is like.

A reading that was left in its middle goes on where it stopped: packages and groups are read in the order of their
creation, and how far that got is committed with each batch.
"""

import random
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Any

from assent_common.clock import to_utc
from assent_common.events.registry import Kind

from assent_sagemaker import arns, state
from assent_sagemaker.aws.account import Document
from assent_sagemaker.aws.errors import Denied, Refused
from assent_sagemaker.aws.pages import ahead
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

_KINDS = (Kind.MODEL, Kind.MODEL_VERSION)


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
    await run.enter("listing")
    found = await listing.everything(run)
    run.counts["listed"] = len(found.groups) + len(found.packages)
    there = found.keys | await _of_closed(run, found)
    others = await views.see(run, found)
    mine = Inventory(_without(found.groups, others), _without(found.packages, others), found.closed)
    round_again = await rounds.of(run)
    if run.source.plan == "describe" or run.progress.search_useless:
        there |= await _by_describe(run, mine)
    else:
        try:
            there |= await _by_search(run, mine, others, round_again)
            round_again.suspect = None
        except SearchUseless as error:
            if run.source.plan == "search":
                raise
            round_again.suspect = error.suspect
            run.progress.search_useless = str(error)
            run.progress.begin_reading_again()
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


async def _by_search(run: Run, mine: Inventory, others: set[str], round_again: Rounds) -> set[str]:
    """Also the keys of what Search has and the listing, which was read before, has not yet. Raises SearchUseless."""
    run.plan = Plan.SEARCH
    groups_since, since = run.progress.groups, run.progress.packages
    seen_groups: set[str] = set()
    seen: set[str] = set()

    async def read() -> None:
        await _search_groups(run, mine.groups, seen_groups)
        # Before their packages, which inherit their tags.
        rest = await _not_shown(run, mine.groups, seen_groups, groups_since)
        await describe.groups(run, rest)
        seen_groups.update(mine.groups)
        await _search_packages(run, mine.packages, others, sample, seen)
        await _search_shared(run, mine.packages, seen)

    try:
        # Before the first page: what changes while the pages are read may change on one that was read already.
        _mark(run, mine.packages, await last_change(run.account))
        await run.enter("searching")
        sample = await _sample(run, mine.packages, since, round_again.suspect)
        await run.from_the_start_if_expired(read)
    except (Denied, Refused) as error:
        raise SearchUseless(f"Search is not to be had: {error}") from error
    await run.enter("describing")
    await describe.packages(run, await _not_shown(run, mine.packages, seen, since))
    return seen


def _mark(run: Run, listed: Listing, last: datetime | None) -> None:
    """From where the next poll goes on. A run that is taken up has not seen what changed since it was left."""
    if run.watermark is None:
        run.saw(last, *(package.created_at for package in listed.values()))


async def _search_groups(run: Run, listed: Listing, seen: set[str]) -> None:
    """The account's own groups, those alone that are listed, spelled as there."""
    async for page in search(run.account, "ModelPackageGroup", created_since=run.progress.groups):
        batch = []
        for document in page.records:
            key = arns.key(document["ModelPackageGroupArn"])
            if key in listed and listed[key].is_of(document["CreationTime"]):
                batch.append(Seen({**document, "ModelPackageGroupArn": listed[key].arn}))
                seen.add(key)
        if page.records:
            run.progress.groups = to_utc(page.records[-1]["CreationTime"])
        await run.observer.groups(batch)


async def _search_packages(
    run: Run, listed: Listing, others: set[str], sample: Mapping[str, Document], seen: set[str]
) -> None:
    """Of what Search shows that which is there: an index that lags shows what is deleted, too.

    The reports of a page are read while the page before is kept.
    """

    async def read() -> AsyncGenerator[tuple[Read, list[Listed], datetime | None], None]:
        there = listed
        found = search(run.account, "ModelPackage", created_since=run.progress.packages)
        async with aclosing(ahead(found)) as pages:
            async for page in pages:
                if since := await _registered_since(run, page.records, there, others):
                    there = there | since
                batch = []
                unlisted = []
                for document in page.records:
                    arn = document["ModelPackageArn"]
                    key = arns.key(arn)
                    if key in sample:
                        compare(document, sample[key])
                    if key in there:
                        if there[key].is_of(document["CreationTime"]):
                            seen.add(key)
                            batch.append(Seen(document))
                    elif key not in others and listing.wants(run, arn):
                        unlisted.append(Listed(arn, arn, "", to_utc(document["CreationTime"])))
                reached = to_utc(page.records[-1]["CreationTime"]) if page.records else None
                yield await run.observer.read(batch), unlisted, reached

    async with aclosing(ahead(read())) as batches:
        async for batch, unlisted, reached in batches:
            run.progress.packages = reached or run.progress.packages
            await run.observer.keep(batch, confirmed=True)
            seen |= await describe.packages(run, unlisted)


async def _registered_since(run: Run, shown: Sequence[Document], listed: Listing, others: set[str]) -> Listing:
    """A listing of what was registered since the last one, where that is more than is worth describing: of thousands
    that are registered while the source is read, each would cost a call."""
    unknown = [one for one in shown if (key := arns.key(one["ModelPackageArn"])) not in listed and key not in others]
    if len(unknown) <= DESCRIBED:
        return {}
    newest = max((one.created_at for one in listed.values()), default=to_utc(unknown[0]["CreationTime"]))
    # What is older and not listed was deleted, and the index lags.
    if sum(to_utc(one["CreationTime"]) >= newest for one in unknown) <= DESCRIBED:
        return {}
    try:
        since = await listing.registered(run, after=newest - timedelta(seconds=1))
    except Refused:
        return {}
    return {key: one for key, one in since.items() if key not in others}


async def _search_shared(run: Run, listed: Listing, seen: set[str]) -> None:
    """What others share, where Search shows that at all; their groups are described, for these are few."""
    if not any(package.is_shared for package in listed.values()):
        return
    async for page in search(run.account, "ModelPackage", cross_account=True):
        batch = []
        for document in page.records:
            key = arns.key(document["ModelPackageArn"])
            if key in listed and listed[key].is_shared and listed[key].is_of(document["CreationTime"]):
                seen.add(key)
                batch.append(Seen(document, Tags.UNREAD))
        await run.observer.packages(batch, confirmed=True)


async def _not_shown(run: Run, listed: Listing, seen: set[str], since: datetime | None) -> list[Listed]:
    """What is listed and Search does not show. Of what it showed before the run was taken up, what is not kept."""
    missing = {key: one for key, one in listed.items() if key not in seen}
    if since is None:
        return list(missing.values())
    before = [key for key, one in missing.items() if one.created_at < since]
    async with run.held.database.connection() as connection:
        kept = await state.living(connection, before)
    return [one for key, one in missing.items() if key not in kept]


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
