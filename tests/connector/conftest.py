"""A simulated SageMaker, a database with the connector's tables, and connectors on both."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any

import pytest
from aiobotocore.session import get_session
from assent_common import migrations
from assent_common.clock import FrozenClock
from assent_common.database import Database
from assent_local.simulator import Simulator, running
from assent_sagemaker.sources import Source

from tests.connector import world
from tests.connector.world import Connector

Connect = Callable[..., Awaitable[Connector]]


@pytest.fixture
def clock() -> FrozenClock:
    return world.now()


@pytest.fixture
async def simulator(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Simulator]:
    """An empty one, where AWS's own settings point."""
    async with running() as simulator:
        for name, value in simulator.environment.items():
            monkeypatch.setenv(name, value)
        yield simulator


@pytest.fixture
async def company(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Simulator]:
    """One with the demo company."""
    async with running(company=True) as simulator:
        for name, value in simulator.environment.items():
            monkeypatch.setenv(name, value)
        yield simulator


@pytest.fixture
async def store(database_url: str, clock: FrozenClock) -> AsyncIterator[Database]:
    database = Database(database_url, service="sagemaker-connector", clock=clock)
    await migrations.upgrade(database, "assent_sagemaker")
    yield database
    await database.close()


@pytest.fixture
async def connect(store: Database, clock: FrozenClock) -> AsyncIterator[Connect]:
    """Starts a connector and waits for its first sync."""
    async with AsyncExitStack() as stack:

        async def connect(*, paced: bool = False, **source: Any) -> Connector:
            described = Source(**{"name": "demo", "region": world.REGION, **source})
            connector = await stack.enter_async_context(world.connected(store, clock, source=described, paced=paced))
            await connector.first()
            return connector

        yield connect


def client(service: str, url: str, *, key: str = "test") -> AbstractAsyncContextManager[Any]:
    connecting: AbstractAsyncContextManager[Any] = get_session().create_client(
        service, region_name=world.REGION, endpoint_url=url, aws_access_key_id=key, aws_secret_access_key="test"
    )
    return connecting


@pytest.fixture
async def sagemaker(simulator: Simulator) -> AsyncIterator[Any]:
    """What data scientists do."""
    async with client("sagemaker", simulator.url) as sagemaker:
        yield sagemaker


@pytest.fixture
async def s3(simulator: Simulator) -> AsyncIterator[Any]:
    async with client("s3", simulator.url) as s3:
        await s3.create_bucket(Bucket="reports")
        yield s3
