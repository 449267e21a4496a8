from collections.abc import AsyncIterator

import pytest

from tests.workflow.notified import Notified, one_that_notifies
from tests.workflow.world import World, a_use_case, a_version, a_world


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    """A model version and a fully described use case are known."""
    async with a_world(database_url) as world:
        await world.hears(a_use_case(), a_version())
        yield world


@pytest.fixture
async def notified(world: World, database_url: str) -> AsyncIterator[Notified]:
    """The same, and people are told."""
    async with one_that_notifies(world, database_url) as notified:
        yield notified
