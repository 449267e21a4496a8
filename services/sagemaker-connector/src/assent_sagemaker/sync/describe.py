"""Objects one by one: where Search is not allowed, is not to be trusted, or has not seen them yet."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from assent_common.clock import to_utc

from assent_sagemaker import arns, state
from assent_sagemaker.aws.account import Document
from assent_sagemaker.aws.describe import describe_model_package, describe_model_package_group
from assent_sagemaker.aws.errors import AwsError, Denied, Gone
from assent_sagemaker.aws.tags import list_tags
from assent_sagemaker.sync.listing import Listed, Listing
from assent_sagemaker.sync.observe import Seen, Tags, batches
from assent_sagemaker.sync.run import Run, in_parallel


async def groups(run: Run, listed: Collection[Listed], *, in_order: bool = False) -> None:
    """Describe and keep these groups, with their tags. `in_order` of their creation: the run can go on from there."""
    by_name = {group.name: group for group in listed}
    for names in batches(by_name):
        seen = await in_parallel(lambda name: _group(run, by_name[name]), names)
        run.counts["described"] += len(names)
        if in_order:
            run.progress.groups = by_name[names[-1]].created_at
        await run.observer.groups(one for one in seen if one is not None)


async def packages(run: Run, listed: Collection[Listed], *, in_order: bool = False) -> set[str]:
    """Describe and keep these packages. The keys of those that are there."""
    by_arn = {package.arn: package for package in listed}
    there: set[str] = set()
    for some in batches(by_arn):
        documents = await in_parallel(lambda arn: package(run, arn), some)
        run.counts["described"] += len(some)
        seen = [
            Seen(document, await _tags_of(run, document, by_arn[arn]), by_arn[arn].summary_hash or None)
            for arn, document in zip(some, documents, strict=True)
            if document is not None
        ]
        await models_of(run, [one.document for one in seen])
        if in_order:
            run.progress.packages = by_arn[some[-1]].created_at
        await run.observer.packages(seen, confirmed=True)
        there |= {arns.key(one.document["ModelPackageArn"]) for one in seen}
    return there


async def different(run: Run, listed: Listing) -> list[Listed]:
    """Those that look otherwise than when they were last described, and are no other source's."""
    async with run.held.database.connection() as connection:
        summaries = {key: one.summary_hash for key, one in listed.items()}
        changed = await state.different(connection, run.source.name, summaries)
    return [one for key, one in listed.items() if key in changed]


async def models_of(run: Run, documents: Collection[Document]) -> None:
    """The groups that these packages show to be new, or to be made anew under an old name; before the packages, for
    these inherit their tags. A full reading has read all groups before."""
    if run.record.mode == "full":
        return
    versions = {
        arns.key(document["ModelPackageArn"]): (group, document)
        for document in documents
        if (group := _group_arn(document)) is not None
    }
    async with run.held.database.connection() as connection:
        kept = await state.living(connection, {*versions, *(arns.key(group) for group, _ in versions.values())})
    to_read = {
        arns.key(group): Listed(group, document["ModelPackageGroupName"], "", to_utc(document["CreationTime"]))
        for key, (group, document) in versions.items()
        if arns.key(group) not in kept or _begins_anew(document, kept.get(key))
    }
    await groups(run, to_read.values())


async def package(run: Run, arn: str) -> Mapping[str, Any] | None:
    """The document; None for what is gone, or may not be described."""
    try:
        return await describe_model_package(run.account, arn)
    except Gone:
        return None
    except Denied as error:
        run.note(f"some packages may not be described: {error}")
        return None


def _begins_anew(version: Document, kept: datetime | None) -> bool:
    """Whether its group may have been made after the one that is kept: with it, versions are counted from 1 again."""
    if kept is None:
        return bool(version["ModelPackageVersion"] == 1)
    return kept != to_utc(version["CreationTime"])


def _group_arn(package: Document) -> str | None:
    try:
        group = arns.group_of(arns.Arn.parse(package["ModelPackageArn"]))
    except arns.NotAnArn:
        return None
    return str(group) if group else None


async def _group(run: Run, group: Listed) -> Seen | None:
    try:
        document = await describe_model_package_group(run.account, group.name)
    except Gone:
        return None
    except Denied as error:
        run.note(f"some groups may not be described: {error}")
        return None
    # The listing's spelling counts.
    spelled = {**document, "ModelPackageGroupArn": group.arn} if group.summary_hash else document
    tags = Tags.UNREAD if group.is_shared else await _tags(run, group.arn)
    return Seen(spelled, tags, group.summary_hash or None)


async def _tags_of(run: Run, document: Document, package: Listed) -> Mapping[str, str] | Tags:
    """A version has none of its own: its group's apply. Another account does not show them."""
    if "ModelPackageVersion" in document:
        return {}
    return Tags.UNREAD if package.is_shared else await _tags(run, document["ModelPackageArn"])


async def _tags(run: Run, arn: str) -> Mapping[str, str] | Tags:
    try:
        return await list_tags(run.account, arn)
    except AwsError as error:
        # Not worth the whole sync.
        run.note(f"some tags could not be read: {error}")
        return Tags.UNREAD
