from collections.abc import AsyncIterator

import pytest

from tests.workflow.world import World, a_use_case, a_version, a_world


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    """A model version and a fully described use case are known."""
    async with a_world(database_url) as world:
        await world.hears(a_use_case(), a_version())
        yield world
