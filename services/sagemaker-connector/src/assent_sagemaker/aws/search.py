"""SageMaker's Search: 100 whole records a call. Its index is eventually consistent, so it may add or change a record of
ours, never remove one: what it does not show may exist."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Literal

from assent_sagemaker.aws.account import Account, Document
from assent_sagemaker.aws.limiter import Family
from assent_sagemaker.aws.pages import Page, pages

Resource = Literal["ModelPackage", "ModelPackageGroup", "Endpoint"]

_ARN: dict[Resource, str] = {
    "ModelPackage": "ModelPackageArn",
    "ModelPackageGroup": "ModelPackageGroupArn",
    "Endpoint": "EndpointArn",
}
_PAGE_SIZE = 100


def search(
    account: Account, resource: Resource, *, modified_since: datetime | None = None, cross_account: bool = False
) -> AsyncIterator[Page]:
    """Every record, oldest first; or those modified at or after a moment (whole seconds), longest unmodified first.

    A record that changes while the pages are read comes again with its new state. Groups have no modification time.
    """
    expression = {}
    if modified_since is not None:
        moment = modified_since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
        since = {"Name": "LastModifiedTime", "Operator": "GreaterThanOrEqualTo", "Value": moment}
        expression = {"SearchExpression": {"Filters": [since]}}
    shared = {"CrossAccountFilterOption": "CrossAccount"} if cross_account else {}
    return pages(
        account,
        "search",
        Family.SEARCH,
        records=lambda response: [result[resource] for result in response.get("Results", []) if resource in result],
        identity=lambda record: _state(record, resource),
        Resource=resource,
        SortBy="CreationTime" if modified_since is None else "LastModifiedTime",
        SortOrder="Ascending",
        MaxResults=_PAGE_SIZE,
        **expression,
        **shared,
    )


def _state(record: Document, resource: Resource) -> tuple[str, datetime | None]:
    return record[_ARN[resource]], record.get("LastModifiedTime")
