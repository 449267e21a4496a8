"""Pages as SageMaker really gives them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, TypeVar

from assent_sagemaker.aws.account import Account, Document
from assent_sagemaker.aws.errors import TokenExpired
from assent_sagemaker.aws.limiter import Family

T = TypeVar("T")

REMEMBERED = 1000
"""So many of the records before are known again: a list shifts by a few under its pages, and a million may follow."""

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

    A record that comes twice, for the list may change under the pages, is given once, unless much came in between.
    """
    seen: dict[Hashable, None] = {}
    tokens: set[str] = set()
    token: str | None = None
    while True:
        more = {"NextToken": token} if token else {}
        response = await account.call("sagemaker", operation, family, **parameters, **more)
        fresh = []
        for record in records(response):
            if (known := identity(record)) not in seen:
                seen[known] = None
                fresh.append(record)
        for known in list(islice(seen, max(0, len(seen) - REMEMBERED))):
            del seen[known]
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


@asynccontextmanager
async def ahead(pages: AsyncIterator[T], by: int = 1) -> AsyncIterator[AsyncIterator[T]]:
    """The same pages, so many of them read or under way before they are asked for, from now on."""
    places = asyncio.Semaphore(by)
    came: asyncio.Queue[tuple[T] | Exception | None] = asyncio.Queue()

    async def read() -> None:
        try:
            await places.acquire()
            async for page in pages:
                came.put_nowait((page,))
                await places.acquire()
            came.put_nowait(None)
        except Exception as error:  # noqa: BLE001 - it is raised where the page is asked for
            came.put_nowait(error)

    async def given() -> AsyncIterator[T]:
        while (coming := await came.get()) is not None:
            if isinstance(coming, Exception):
                raise coming
            places.release()
            yield coming[0]

    reading = asyncio.create_task(read())
    try:
        yield given()
    finally:
        reading.cancel()
        await asyncio.wait({reading})
