from collections.abc import AsyncIterator

import pytest

from tests.catalog.world import World, a_world


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    """An empty catalogue."""
    async with a_world(database_url) as world:
        yield world
