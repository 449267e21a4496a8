"""Pages that are read before they are asked for: in their order, not too many at once, and none when nobody asks."""

import asyncio
from asyncio import Semaphore
from collections.abc import AsyncIterator

import pytest
from assent_sagemaker.aws.pages import ahead


async def numbers(upto: int, error: Exception | None = None) -> AsyncIterator[int]:
    for number in range(upto):
        yield number
    if error is not None:
        raise error


class Desk:
    """Reads a page when it is told to; of those under way, the last one first."""

    def __init__(self) -> None:
        self.under_way: dict[int, asyncio.Event] = {}
        self.begun: list[int] = []
        self.most = 0

    async def read(self, page: int) -> str:
        self.begun.append(page)
        done = self.under_way[page] = asyncio.Event()
        self.most = max(self.most, len(self.under_way))
        try:
            await done.wait()
        finally:
            del self.under_way[page]
        return f"page {page}"

    async def finish(self) -> None:
        while True:
            await settled()
            for done in list(self.under_way.values())[-1:]:
                done.set()


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_they_come_in_their_order_though_several_are_read_at_once() -> None:
    desk = Desk()
    finishing = asyncio.create_task(desk.finish())
    async with ahead(numbers(20), desk.read, places=Semaphore(5), at_once=2) as pages:
        assert [page async for page in pages] == [f"page {n}" for n in range(20)]
    assert desk.most == 2
    finishing.cancel()


async def test_no_more_are_read_than_so_many_before_they_are_asked_for() -> None:
    desk = Desk()
    finishing = asyncio.create_task(desk.finish())
    async with ahead(numbers(20), desk.read, places=Semaphore(5), at_once=2) as pages:
        await settled()
        while len(desk.begun) < 5 or desk.under_way:
            await settled()
        assert desk.begun == [0, 1, 2, 3, 4]
        assert await anext(pages) == "page 0"
        while len(desk.begun) < 6:
            await settled()
        await settled()
        assert desk.begun == [0, 1, 2, 3, 4, 5]
    finishing.cancel()


async def test_an_error_is_raised_where_its_page_is_asked_for() -> None:
    async def read(page: int) -> int:
        if page == 2:
            raise ValueError("unreadable")
        return page

    async with ahead(numbers(9), read, places=Semaphore(4), at_once=2) as pages:
        assert [await anext(pages), await anext(pages)] == [0, 1]
        with pytest.raises(ValueError, match="unreadable"):
            await anext(pages)
    async with ahead(numbers(1, OSError("cut")), read, places=Semaphore(4), at_once=2) as pages:
        assert await anext(pages) == 0
        with pytest.raises(OSError, match="cut"):
            await anext(pages)


async def test_what_nobody_asks_for_any_more_is_given_up() -> None:
    desk = Desk()
    async with ahead(numbers(9), desk.read, places=Semaphore(4), at_once=3):
        await settled()
        assert len(desk.under_way) == 3
    assert desk.under_way == {}
