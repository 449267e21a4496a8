"""Everything that a source has: List says what is there, Search or Describe what it is like."""

import random
from collections.abc import Mapping
from typing import Any

from assent_common import telemetry
from assent_common.clock import to_utc
from assent_common.events.registry import Kind

from assent_sagemaker import arns
from assent_sagemaker.aws.errors import Denied, Refused
from assent_sagemaker.aws.pages import ahead
from assent_sagemaker.aws.search import search
from assent_sagemaker.mapping.documents import Unmappable
from assent_sagemaker.sync import deployments, describe, listing, removals
from assent_sagemaker.sync.listing import Listing
from assent_sagemaker.sync.observe import Seen
from assent_sagemaker.sync.plan import Plan, SearchUseless, disagreement
from assent_sagemaker.sync.run import Run

SAMPLE = 3
"""So many packages of each full run are described, to see whether Search says the same."""


async def full(run: Run) -> str:
    """Read the whole source. Why it was read by the plan it was read by. Raises AwsError: then nothing was removed."""
    await run.enter("listing")
    groups = await listing.groups(run)
    packages = await listing.packages(run, groups)
    run.counts["listed"] = len(groups) + len(packages)
    there = set(groups) | set(packages)
    if run.source.plan == "describe":
        reason = "chosen in the source's settings"
        there |= await _by_describe(run, groups, packages)
    else:
        try:
            there |= await _by_search(run, groups, packages)
            reason = "Search answers, and a sample of it agrees with Describe"
        except SearchUseless as error:
            if run.source.plan == "search":
                raise
            reason = str(error)
            telemetry.logger().warning("search_not_used", source=run.source.name, reason=reason)
            there |= await _by_describe(run, groups, packages)
    await removals.count_listing(run, (Kind.MODEL, Kind.MODEL_VERSION), there)
    await deployments.full(run)
    return reason


async def _by_describe(run: Run, groups: Listing, packages: Listing) -> set[str]:
    run.plan = Plan.DESCRIBE
    await run.enter("describing")
    await describe.groups(run, groups.values())
    return await describe.packages(run, packages.values())


async def _by_search(run: Run, groups: Listing, packages: Listing) -> set[str]:
    """Also the keys of what Search has and the listing, which was read before, has not yet. Raises SearchUseless."""
    run.plan = Plan.SEARCH
    await run.enter("searching")
    sample = await _sample(run, packages)

    async def read() -> tuple[set[str], set[str]]:
        return await search_groups(run, groups), await _search_packages(run, packages, sample)

    try:
        seen_groups, seen = await run.from_the_start_if_expired(read)
    except (Denied, Refused) as error:
        raise SearchUseless(f"Search is not to be had: {error}") from error
    await run.enter("describing")
    await describe.groups(run, [group for key, group in groups.items() if key not in seen_groups])
    await describe.packages(run, [package for key, package in packages.items() if key not in seen])
    return seen


async def search_groups(run: Run, listed: Listing) -> set[str]:
    """Groups by Search, those alone that are listed, spelled as there. Their keys."""
    seen: set[str] = set()
    async for page in search(run.account, "ModelPackageGroup"):
        batch = []
        for document in page.records:
            key = arns.key(document["ModelPackageGroupArn"])
            if key in listed:
                batch.append(Seen({**document, "ModelPackageGroupArn": listed[key].arn}))
                seen.add(key)
        await run.observer.groups(batch)
    return seen


async def _search_packages(run: Run, listed: Listing, sample: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """The keys of what is there of what Search shows: an index that lags shows what is deleted, too."""
    there: set[str] = set()
    async for page in ahead(search(run.account, "ModelPackage")):
        batch = []
        unlisted = []
        for document in page.records:
            arn = document["ModelPackageArn"]
            key = arns.key(arn)
            if key in sample:
                _compare(document, sample[key])
            if key in listed:
                run.saw(to_utc(document["CreationTime"]), document.get("LastModifiedTime"))
                there.add(key)
                batch.append(Seen(document))
            elif listing.wants(run, arn):
                unlisted.append(listing.Listed(arn, arn, ""))
        await run.observer.packages(batch, confirmed=True)
        there |= await describe.packages(run, unlisted)
    return there


async def _sample(run: Run, packages: Listing) -> dict[str, Mapping[str, Any]]:
    chosen = random.SystemRandom().sample(sorted(packages), min(SAMPLE, len(packages)))
    documents = {key: await describe.package(run, packages[key].arn) for key in chosen}
    return {key: document for key, document in documents.items() if document is not None}


def _compare(by_search: Mapping[str, Any], by_describe: Mapping[str, Any]) -> None:
    try:
        fields = disagreement(by_search, by_describe)
    except (Unmappable, arns.NotAnArn):
        # Told when it is kept.
        return
    if fields:
        raise SearchUseless(f"Search differs from Describe in {fields} of {by_describe['ModelPackageArn']}")
