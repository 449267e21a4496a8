"""SageMaker's Search: 100 whole records a call. Its index is eventually consistent, so it may add or change a record of
ours, never remove one: what it does not show may exist."""

from collections.abc import AsyncIterator, Collection
from datetime import UTC, datetime
from typing import Any, Literal

from assent_sagemaker.aws.account import Account, Document
from assent_sagemaker.aws.limiter import Family
from assent_sagemaker.aws.pages import Page, pages

Resource = Literal["ModelPackage", "ModelPackageGroup", "Model", "TrainingJob"]

_PAGE_SIZE = 100
_MOST_FILTERS = 20


def search(
    account: Account, resource: Resource, *, created_since: datetime | None = None, cross_account: bool = False
) -> AsyncIterator[Page]:
    """Every record, or every one created at or after a moment (whole seconds), the oldest first.

    By creation, for that never changes, and every record has it: one that was never modified may lack the other time.
    `cross_account`: those instead that other accounts share.
    """
    which = _since("CreationTime", created_since)
    if cross_account:
        which["CrossAccountFilterOption"] = "CrossAccount"
    return _pages(account, resource, "CreationTime", "Ascending", which)


def changed(account: Account, resource: Resource, *, modified_since: datetime | None) -> AsyncIterator[Page]:
    """The records modified at or after a moment (whole seconds), the last modified first. Groups have no such time.

    One that is modified while the pages are read moves to their front, and is not seen again.
    """
    return _pages(account, resource, "LastModifiedTime", "Descending", _since("LastModifiedTime", modified_since))


async def named(account: Account, resource: Resource, names: Collection[str]) -> AsyncIterator[Page]:
    """Those of these names, as far as the index has seen them."""
    every = list(names)
    for start in range(0, len(every), _MOST_FILTERS):
        filters = [
            {"Name": f"{resource}Name", "Operator": "Equals", "Value": name}
            for name in every[start : start + _MOST_FILTERS]
        ]
        which = {"SearchExpression": {"Filters": filters, "Operator": "Or"}}
        async for page in _pages(account, resource, "CreationTime", "Ascending", which):
            yield page


async def last_change(account: Account) -> datetime | None:
    """When a package was last modified, by the source's own clock and as far as its index has seen."""
    async for page in _pages(account, "ModelPackage", "LastModifiedTime", "Descending", {}, size=1):
        for record in page.records:
            moment: datetime | None = record.get("LastModifiedTime")
            return moment
    return None


def _pages(
    account: Account, resource: Resource, sort_by: str, order: str, which: dict[str, Any], size: int = _PAGE_SIZE
) -> AsyncIterator[Page]:
    return pages(
        account,
        "search",
        Family.SEARCH,
        records=lambda response: [result[resource] for result in response.get("Results", []) if resource in result],
        identity=lambda record: _state(record, resource),
        Resource=resource,
        SortBy=sort_by,
        SortOrder=order,
        MaxResults=size,
        **which,
    )


def _since(name: str, moment: datetime | None) -> dict[str, Any]:
    if moment is None:
        return {}
    value = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return {"SearchExpression": {"Filters": [{"Name": name, "Operator": "GreaterThanOrEqualTo", "Value": value}]}}


def _state(record: Document, resource: Resource) -> tuple[str, datetime | None]:
    # A model stands amid what serves it.
    document = record["Model"] if resource == "Model" else record
    return document[f"{resource}Arn"], document.get("LastModifiedTime")
