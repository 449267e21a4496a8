"""Room for pages: a fair share of what there is for each reading, and one at any time."""

import asyncio
from contextlib import ExitStack

from assent_sagemaker.room import Ahead, Room


async def takes(places: Ahead) -> bool:
    """Whether it gets one without anybody giving one back."""
    taking = asyncio.create_task(places.acquire())
    await asyncio.sleep(0)
    taking.cancel()
    return taking.done()


async def taken(places: Ahead) -> int:
    while await takes(places):
        pass
    return places.taken


async def test_one_reading_has_all_the_room_and_of_many_each_its_share() -> None:
    room = Room(kept_at_once=1, ahead=16)
    with room.ahead() as alone:
        assert await taken(alone) == 16
    with ExitStack() as stack:
        four = [stack.enter_context(room.ahead()) for _ in range(4)]
        assert [await taken(places) for places in four] == [4, 4, 4, 4]
        assert not room.is_crowded


async def test_however_many_there_are_each_may_go_on() -> None:
    room = Room(kept_at_once=1, ahead=16)
    with ExitStack() as stack:
        many = [stack.enter_context(room.ahead()) for _ in range(40)]
        assert room.is_crowded
        assert [await taken(places) for places in many] == [1] * 40
    assert not room.is_crowded


async def test_those_who_come_later_get_no_more_than_what_is_left() -> None:
    room = Room(kept_at_once=1, ahead=16)
    with room.ahead() as early, room.ahead() as late:
        assert await taken(early) == 8
        with room.ahead() as latest:
            assert await taken(late) == 5
            # 13 of 16 are taken.
            assert await taken(latest) == 3


async def test_what_is_given_back_is_had_by_who_waits_for_it() -> None:
    room = Room(kept_at_once=1, ahead=2)
    with room.ahead() as places:
        assert await taken(places) == 2
        waiting = asyncio.create_task(places.acquire())
        await asyncio.sleep(0)
        assert not waiting.done()
        places.release()
        await waiting
        assert places.taken == 2


async def test_a_reading_that_ends_leaves_its_room_to_others() -> None:
    room = Room(kept_at_once=1, ahead=4)
    with room.ahead() as gone:
        assert await taken(gone) == 4
    with room.ahead() as other:
        assert await taken(other) == 4
