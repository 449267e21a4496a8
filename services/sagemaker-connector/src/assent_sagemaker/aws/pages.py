"""Pages as SageMaker really gives them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Protocol, TypeVar

from assent_sagemaker.aws.account import Account, Document
from assent_sagemaker.aws.errors import TokenExpired
from assent_sagemaker.aws.limiter import Family

T = TypeVar("T")
U = TypeVar("U")
V = TypeVar("V")

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


class Places(Protocol):
    async def acquire(self) -> object:
        """Returns when there is one."""
        ...

    def release(self) -> None: ...


@asynccontextmanager
async def ahead(
    pages: AsyncIterator[T], read: Callable[[T], Awaitable[U]], *, places: Places, at_once: int = 1
) -> AsyncIterator[AsyncIterator[U]]:
    """What `read` makes of the pages, in their order: begun now, as many of them before they are asked for as there are
    `places`, and so many `at_once`. Places of what nobody asked for are not given back."""
    slots = asyncio.Semaphore(at_once)
    came: asyncio.Queue[asyncio.Task[U] | Exception | None] = asyncio.Queue()
    under_way: set[asyncio.Task[Any]] = set()

    def begin(doing: Coroutine[Any, Any, V]) -> asyncio.Task[V]:
        task = asyncio.create_task(doing)
        under_way.add(task)
        task.add_done_callback(ended)
        return task

    def ended(task: asyncio.Task[Any]) -> None:
        under_way.discard(task)
        # What nobody asks for any more is nobody's trouble.
        _ = task.cancelled() or task.exception()

    async def one(page: T) -> U:
        try:
            return await read(page)
        finally:
            slots.release()

    async def everything() -> None:
        try:
            await places.acquire()
            async for page in pages:
                await slots.acquire()
                came.put_nowait(begin(one(page)))
                await places.acquire()
            # There was no page for it any more.
            places.release()
            came.put_nowait(None)
        except Exception as error:  # noqa: BLE001 - it is raised where the page is asked for
            came.put_nowait(error)

    async def given() -> AsyncIterator[U]:
        while (coming := await came.get()) is not None:
            if isinstance(coming, Exception):
                raise coming
            page = await coming
            places.release()
            yield page
            # Not in memory while the next one is waited for.
            del page, coming

    begin(everything())
    try:
        yield given()
    finally:
        for task in under_way:
            task.cancel()
        if under_way:
            await asyncio.wait(under_way)
