"""Objects one by one: where Search is not allowed, is not to be trusted, or has not seen them yet."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from assent_sagemaker import arns
from assent_sagemaker.aws.describe import describe_model_package, describe_model_package_group
from assent_sagemaker.aws.errors import AwsError, Denied, Gone
from assent_sagemaker.aws.tags import list_tags
from assent_sagemaker.sync.listing import Listed
from assent_sagemaker.sync.observe import Seen, Tags, batches
from assent_sagemaker.sync.run import Run, in_parallel


async def groups(run: Run, listed: Collection[Listed]) -> None:
    """Describe and keep these groups, with their tags."""
    by_name = {group.name: group for group in listed}
    for names in batches(by_name):
        seen = await in_parallel(lambda name: _group(run, by_name[name]), names)
        run.counts["described"] += len(names)
        await run.observer.groups(one for one in seen if one is not None)


async def packages(run: Run, listed: Collection[Listed]) -> set[str]:
    """Describe and keep these packages. The keys of those that are there."""
    by_arn = {package.arn: package for package in listed}
    there: set[str] = set()
    for some in batches(by_arn):
        documents = await in_parallel(lambda arn: package(run, arn), some)
        run.counts["described"] += len(some)
        seen = [
            Seen(document, await _tags_of(run, document), by_arn[arn].summary_hash or None)
            for arn, document in zip(some, documents, strict=True)
            if document is not None
        ]
        await keep(run, seen)
        there |= {arns.key(one.document["ModelPackageArn"]) for one in seen}
    return there


async def package(run: Run, arn: str) -> Mapping[str, Any] | None:
    """The document; None for what is gone, or may not be described."""
    try:
        return await describe_model_package(run.account, arn)
    except Gone:
        return None
    except Denied as error:
        run.note(f"some packages may not be described: {error}")
        return None


async def keep(run: Run, seen: Sequence[Seen]) -> None:
    for one in seen:
        run.saw(one.document["CreationTime"], one.document.get("LastModifiedTime"))
    await run.observer.packages(seen, confirmed=True)


async def _group(run: Run, group: Listed) -> Seen | None:
    try:
        document = await describe_model_package_group(run.account, group.name)
    except Gone:
        return None
    except Denied as error:
        run.note(f"some groups may not be described: {error}")
        return None
    # The listing's spelling counts.
    spelled = {**document, "ModelPackageGroupArn": group.arn}
    return Seen(spelled, await _tags(run, group.arn), group.summary_hash or None)


async def _tags_of(run: Run, document: Mapping[str, Any]) -> Mapping[str, str] | Tags:
    """A version has none of its own: its group's apply."""
    versioned = "ModelPackageVersion" in document
    return {} if versioned else await _tags(run, document["ModelPackageArn"])


async def _tags(run: Run, arn: str) -> Mapping[str, str] | Tags:
    try:
        return await list_tags(run.account, arn)
    except AwsError as error:
        # Not worth the whole sync.
        run.note(f"some tags could not be read: {error}")
        return Tags.UNREAD
