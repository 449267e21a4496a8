"""A model package group to a model."""

from collections.abc import Mapping

from assent_common.events.registry import ModelObserved

from assent_sagemaker.mapping.documents import ModelPackageGroup
from assent_sagemaker.mapping.packages import tag_map


def model(group: ModelPackageGroup, *, source: str, tags: Mapping[str, str]) -> ModelObserved:
    """`group` is a summary of the listing, a description or a Search record; only the last brings its own tags."""
    return ModelObserved(
        urn=group.model_package_group_arn,
        source=source,
        name=group.model_package_group_name,
        description=group.model_package_group_description,
        source_status=group.model_package_group_status,
        tags={**tag_map(group.tags), **tags},
        created_at=group.creation_time,
        created_by=group.created_by.who if group.created_by else None,
        raw=group.raw,
    )
