"""What changed since the last time: a few calls, however large the source is."""

from datetime import datetime, timedelta

from assent_common.clock import to_utc
from assent_common.events.registry import Kind

from assent_sagemaker import arns, state
from assent_sagemaker.aws.errors import Denied, Refused
from assent_sagemaker.aws.search import search
from assent_sagemaker.sync import deployments, describe, listing
from assent_sagemaker.sync.full import search_groups
from assent_sagemaker.sync.listing import Listed, Listing
from assent_sagemaker.sync.observe import Seen
from assent_sagemaker.sync.plan import Plan, SearchUseless
from assent_sagemaker.sync.run import Run

OVERLAP = timedelta(minutes=5)
"""So far back polls look again: an index that lags need not show changes in their order."""

LOOK_BACK_EVERY = timedelta(minutes=1)


async def incremental(run: Run, plan: Plan, since: datetime | None) -> None:
    """Read what changed at or after `since`, by the source's clock. Raises SearchUseless where that can't go on."""
    run.plan = plan
    if plan is Plan.SEARCH:
        try:
            await run.from_the_start_if_expired(lambda: _by_search(run, since))
        except (Denied, Refused) as error:
            raise SearchUseless(f"Search is not to be had: {error}") from error
    else:
        await _by_describe(run)
    await deployments.incremental(run)


class LookBack:
    """From where on the next poll looks: from the newest change seen, and now and then from some minutes before it.

    Not always: the last burst of changes would be read again with every poll, and for ever where nothing follows it.
    """

    def __init__(self) -> None:
        self._looked_at: datetime | None = None

    def since(self, watermark: datetime | None, moved_at: datetime | None, now: datetime) -> datetime | None:
        """`watermark` is by the source's clock; when it moved, and now, are by ours."""
        if watermark is None or moved_at is None:
            return None
        recently = self._looked_at is not None and now - self._looked_at < LOOK_BACK_EVERY
        if now - moved_at > OVERLAP or recently:
            return watermark
        self._looked_at = now
        return watermark - OVERLAP


async def _by_search(run: Run, since: datetime | None) -> None:
    groups = await listing.groups(run)
    indexed = await search_groups(run, groups)
    await describe.groups(run, await _unknown(run, groups, indexed))
    seen: set[str] = set()
    async for page in search(run.account, "ModelPackage", modified_since=since):
        batch = [Seen(document) for document in page.records if listing.wants(run, document["ModelPackageArn"])]
        for one in batch:
            run.saw(to_utc(one.document["CreationTime"]), one.document.get("LastModifiedTime"))
        seen |= {arns.key(one.document["ModelPackageArn"]) for one in batch}
        result = await run.observer.packages(batch, confirmed=False)
        await describe.packages(run, [Listed(arn, arn, "") for arn in result.doubtful])
    # What was registered, and is not in the index yet or has no time of modification.
    after = since - timedelta(seconds=1) if since else None
    fresh = await listing.packages(run, groups, created_after=after)
    await describe.packages(run, await _unknown(run, fresh, seen))


async def _unknown(run: Run, listed: Listing, seen: set[str]) -> list[Listed]:
    """What is listed, but was not seen now, nor ever before."""
    async with run.held.database.connection() as connection:
        known = await state.known(connection, listed.keys() - seen)
    return [one for key, one in listed.items() if key not in seen and not (key in known and known[key].live)]


async def _by_describe(run: Run) -> None:
    groups = await listing.groups(run)
    packages = await listing.packages(run, groups)
    async with run.held.database.connection() as connection:
        described = await state.summaries(connection, run.source.name, Kind.MODEL, Kind.MODEL_VERSION)
    await describe.groups(run, [g for key, g in groups.items() if described.get(key) != g.summary_hash])
    await describe.packages(run, [p for key, p in packages.items() if described.get(key) != p.summary_hash])
