"""What changed since the last time: three calls where nothing did, however large the source is.

Each poll asks for what was modified, for what was registered (the index may lag, and what was never modified may have
no such time), and by turns for the endpoints and for what else serves. Only tags change without a trace: every few
polls, one looks at a page of the groups instead of what was registered, and with them at all groups in turn. A new
group shows by its first version. Without Search nothing tells what was modified but the summaries: each poll looks at
one page of them, in turn, too. What is deleted, and what others share, is left to the reconcile.
"""

from datetime import datetime, timedelta

from assent_common.clock import to_utc
from assent_common.events.registry import Kind

from assent_sagemaker import arns, state
from assent_sagemaker.aws.account import Document
from assent_sagemaker.aws.errors import Denied, Refused
from assent_sagemaker.aws.pages import Page, stretch
from assent_sagemaker.aws.search import changed, search
from assent_sagemaker.sync import deployments, describe, listing, rounds
from assent_sagemaker.sync.listing import Listed
from assent_sagemaker.sync.observe import Seen
from assent_sagemaker.sync.plan import Plan, SearchUseless, compare
from assent_sagemaker.sync.rounds import OVERLAP, Rounds
from assent_sagemaker.sync.run import Run


async def incremental(run: Run, plan: Plan, since: datetime | None) -> None:
    """Read what changed after `since`, the newest change seen so far by the source's clock.

    Raises SearchUseless where that can't go on.
    """
    run.plan = plan
    turn = await rounds.of(run)
    before = turn.model_copy(deep=True)
    try:
        if plan is Plan.SEARCH:
            await _poll_by_search(run, since, turn)
        else:
            await _poll_by_describe(run, since, turn)
        await deployments.incremental(run, turn)
    except SearchUseless as error:
        turn.suspect = error.suspect
        raise
    finally:
        if turn != before:
            await rounds.keep(run, turn)


async def _poll_by_search(run: Run, since: datetime | None, turn: Rounds) -> None:
    try:
        example = await run.from_the_start_if_expired(lambda: _modified(run, since))
        if example is not None and turn.sample_is_due(run):
            described = await describe.package(run, example["ModelPackageArn"])
            if described is not None:
                compare(example, described)
                turn.sampled_at = run.clock.now()
        if turn.groups_are_due(run):
            await run.from_the_start_if_expired(lambda: _search_some_groups(run, turn))
            turn.groups_at = run.clock.now()
            return
    except (Denied, Refused) as error:
        raise SearchUseless(f"Search is not to be had: {error}") from error
    await _registered(run, since)


async def _poll_by_describe(run: Run, since: datetime | None, turn: Rounds) -> None:
    try:
        packages, turn.packages = await run.from_the_start_if_expired(lambda: listing.some(run, turn.packages))
    except Refused:
        packages = await listing.one_by_one(run, await _groups_kept(run))
    run.saw(*(one.created_at for one in packages.values()))
    await describe.packages(run, await describe.different(run, packages))
    if turn.packages is not None and not turn.groups_are_due(run):
        await _registered(run, since)
        return
    # The page was the last one, with whatever was registered on it; or it is the groups' turn.
    groups, turn.groups = await run.from_the_start_if_expired(lambda: listing.some_groups(run, turn.groups))
    await describe.groups(run, await describe.different(run, groups))
    turn.groups_at = run.clock.now()


async def _modified(run: Run, since: datetime | None) -> Document | None:
    """One of those that changed.

    The last modified come first: all that were since `since` are read, and before it as long as a page brings something
    new. So many changes cost so many pages, however many there were the last time.
    """
    example: Document | None = None
    async for page in changed(run.account, "ModelPackage", modified_since=since - OVERLAP if since else None):
        batch = [Seen(document) for document in page.records if listing.wants(run, document["ModelPackageArn"])]
        await describe.models_of(run, [one.document for one in batch])
        result = await run.observer.packages(batch, confirmed=False)
        created = {document["ModelPackageArn"]: to_utc(document["CreationTime"]) for document in page.records}
        back = await describe.packages(run, [Listed(arn, arn, "", created[arn]) for arn in result.doubtful])
        run.saw(*(moment for document in page.records for moment in _moments(document)))
        told = [one.document for one in batch if arns.key(one.document["ModelPackageArn"]) in result.changed]
        example = example or next(iter(told), None)
        if not told and not back and _reaches(page, since):
            break
    return example


def _moments(document: Document) -> list[datetime]:
    return [to_utc(document[name]) for name in ("CreationTime", "LastModifiedTime") if document.get(name)]


def _reaches(page: Page, since: datetime | None) -> bool:
    if since is None or not page.records:
        return False
    return bool(max(_moments(page.records[-1])) <= since)


async def _registered(run: Run, since: datetime | None) -> None:
    """What was registered, and is not in the index yet or has no time of modification."""
    after = since - timedelta(seconds=1) if since else None
    try:
        listed = await run.from_the_start_if_expired(lambda: listing.registered(run, after=after))
    except Refused:
        listed = await listing.one_by_one(run, await _groups_kept(run), after=after)
    run.saw(*(one.created_at for one in listed.values()))
    async with run.held.database.connection() as connection:
        kept = await state.living(connection, listed)
    await describe.packages(run, [one for key, one in listed.items() if key not in kept or not one.is_of(kept[key])])


async def _groups_kept(run: Run) -> list[str]:
    async with run.held.database.connection() as connection:
        return await state.urns(connection, run.source.name, Kind.MODEL)


async def _search_some_groups(run: Run, turn: Rounds) -> None:
    """Those kept are looked at; those that are not, the index may show though they are gone."""
    records, reached = await stretch(search(run.account, "ModelPackageGroup", created_since=turn.groups), turn.groups)
    wanted = [group for group in records if run.source.wants(group["ModelPackageGroupName"])]
    async with run.held.database.connection() as connection:
        kept = await state.living(connection, [arns.key(group["ModelPackageGroupArn"]) for group in wanted])
    old = [group for group in wanted if arns.key(group["ModelPackageGroupArn"]) in kept]
    await run.observer.groups(Seen(group) for group in old)
    new = [
        Listed(group["ModelPackageGroupArn"], group["ModelPackageGroupName"], "", to_utc(group["CreationTime"]))
        for group in wanted
        if group not in old
    ]
    await describe.groups(run, new)
    turn.groups = reached
