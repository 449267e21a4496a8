"""Pages as SageMaker really gives them."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar, cast

from assent_sagemaker.aws.account import Account, Document
from assent_sagemaker.aws.errors import TokenExpired
from assent_sagemaker.aws.limiter import Family

T = TypeVar("T")

#: Filters by time are by the second.
_OVERLAP = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Page:
    #: May be empty: that is not the end.
    records: list[Document]
    #: Whether that was everything.
    is_last: bool


async def pages(
    account: Account,
    operation: str,
    family: Family,
    *,
    records: Callable[[Document], list[Document]],
    identity: Callable[[Document], Hashable],
    **parameters: Any,
) -> AsyncIterator[Page]:
    """Page after page until the service says that there are no more. **Only then was everything seen**: an error in the
    middle is raised (AwsError; TokenExpired means: start again), never taken for the end.

    A record that comes twice, for the list may change under the pages, is given once.
    """
    seen: set[Hashable] = set()
    tokens: set[str] = set()
    token: str | None = None
    while True:
        more = {"NextToken": token} if token else {}
        response = await account.call("sagemaker", operation, family, **parameters, **more)
        fresh = []
        for record in records(response):
            if (known := identity(record)) not in seen:
                seen.add(known)
                fresh.append(record)
        # An empty token ends the list as well as none.
        token = response.get("NextToken") or None
        yield Page(fresh, is_last=token is None)
        if token is None:
            return
        if token in tokens:
            raise TokenExpired(operation, "TokenRepeated", "the service gave a page token for the second time")
        tokens.add(token)


async def stretch(pages: AsyncIterator[Page], reached: datetime | None) -> tuple[list[Document], datetime | None]:
    """About one page of a list by creation, begun at the second of `reached`; and from where to go on, None where that
    was the end. Longer than a page only where more was created in one second than a page holds."""
    records: list[Document] = []
    async for page in pages:
        records += page.records
        if page.is_last:
            break
        if records and (reached is None or records[-1]["CreationTime"] - reached > _OVERLAP):
            return records, records[-1]["CreationTime"]
    return records, None


async def ahead(pages: AsyncIterator[T]) -> AsyncGenerator[T, None]:
    """The same pages, the next one always under way while one is worked on."""
    end = object()

    async def following() -> T | object:
        return await anext(pages, end)

    coming = asyncio.create_task(following())
    try:
        while (page := await coming) is not end:
            coming = asyncio.create_task(following())
            yield cast(T, page)
    finally:
        coming.cancel()
        await asyncio.wait({coming})
