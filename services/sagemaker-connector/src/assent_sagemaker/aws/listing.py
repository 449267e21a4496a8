"""SageMaker's List operations: only summaries, but all of them: what two complete listings lack is gone."""

from collections.abc import AsyncIterator, Callable, Hashable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Literal

from assent_sagemaker.aws.account import Account, Document
from assent_sagemaker.aws.limiter import Family
from assent_sagemaker.aws.pages import Page, pages

_PAGE_SIZE = 100


def list_model_package_groups(
    account: Account, *, created_after: datetime | None = None, cross_account: bool = False
) -> AsyncIterator[Page]:
    """The account's own groups, or those that others share with it: one call never gives both."""
    which: dict[str, Any] = {"CrossAccountFilterOption": "CrossAccount"} if cross_account else {}
    if created_after is not None:
        which["CreationTimeAfter"] = created_after
    return pages(
        account,
        "list_model_package_groups",
        Family.LIST,
        records=lambda response: response.get("ModelPackageGroupSummaryList", []),
        identity=lambda record: record["ModelPackageGroupArn"],
        SortBy="CreationTime",
        SortOrder="Ascending",
        MaxResults=_PAGE_SIZE,
        **which,
    )


def list_model_packages(
    account: Account,
    *,
    group: str | None = None,
    kind: Literal["Both", "Unversioned"] = "Both",
    created_after: datetime | None = None,
) -> AsyncIterator[Page]:
    """The versions of a group (by its name, a shared one by its ARN); without one, all packages, versioned or not."""
    # Unversioned only, unless told: that is the default.
    which: dict[str, Any] = {"ModelPackageGroupName": group} if group else {"ModelPackageType": kind}
    if created_after is not None:
        which["CreationTimeAfter"] = created_after
    return pages(
        account,
        "list_model_packages",
        Family.LIST,
        records=lambda response: response.get("ModelPackageSummaryList", []),
        identity=lambda record: record["ModelPackageArn"],
        SortBy="CreationTime",
        SortOrder="Ascending",
        MaxResults=_PAGE_SIZE,
        **which,
    )


def list_endpoints(account: Account, *, modified_after: datetime | None = None) -> AsyncIterator[Page]:
    return _modified(
        account, "list_endpoints", "Endpoints", Family.LIST, modified_after, lambda one: one["EndpointArn"]
    )


def list_inference_components(
    account: Account, *, modified_after: datetime | None = None, endpoint: str | None = None
) -> AsyncIterator[Page]:
    return _modified(
        *(account, "list_inference_components", "InferenceComponents", Family.LIST, modified_after),
        lambda one: one["InferenceComponentArn"],
        which={"EndpointNameEquals": endpoint} if endpoint else {},
    )


def list_monitoring_executions(account: Account, *, modified_after: datetime | None = None) -> AsyncIterator[Page]:
    """Of all schedules, the newest first."""
    return _modified(
        *(account, "list_monitoring_executions", "MonitoringExecutionSummaries", Family.JOBS, modified_after),
        lambda one: (one["MonitoringScheduleName"], one["ScheduledTime"]),
        which={"SortOrder": "Descending"},
    )


def list_transform_jobs(account: Account, *, modified_after: datetime | None = None) -> AsyncIterator[Page]:
    """The newest first."""
    return _modified(
        *(account, "list_transform_jobs", "TransformJobSummaries", Family.JOBS, modified_after),
        lambda one: one["TransformJobArn"],
        which={"SortOrder": "Descending"},
    )


def _modified(
    account: Account,
    operation: str,
    member: str,
    family: Family,
    modified_after: datetime | None,
    identity: Callable[[Document], Hashable],
    which: Mapping[str, Any] = MappingProxyType({}),
) -> AsyncIterator[Page]:
    since = {"LastModifiedTimeAfter": modified_after} if modified_after is not None else {}
    return pages(
        account,
        operation,
        family,
        records=lambda response: response.get(member, []),
        identity=identity,
        **{"SortBy": "CreationTime", "SortOrder": "Ascending", "MaxResults": _PAGE_SIZE, **which, **since},
    )
