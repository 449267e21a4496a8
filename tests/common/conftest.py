"""Settings and a database for each test of the common library."""

from collections.abc import AsyncIterator

import pytest
from assent_common.clock import SystemClock
from assent_common.database import Database
from assent_common.health import Health
from assent_common.settings import Settings
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from pydantic import SecretStr

from tests.common import world


@pytest.fixture
def settings(database_url: str, kafka: str, topic_prefix: str) -> Settings:
    return Settings(
        database_url=SecretStr(database_url),
        kafka_bootstrap_servers=kafka,
        kafka_topic_prefix=topic_prefix,
        kafka_partitions=3,
    )


@pytest.fixture
async def store(settings: Settings) -> AsyncIterator[Database]:
    """This test's database, with the tables of the common library and of the tests' world."""
    database = world.a_database(settings)
    await world.lay(database)
    yield database
    await database.close()


@pytest.fixture
def health() -> Health:
    return Health(SystemClock())


@pytest.fixture(scope="session")
def traced() -> None:
    """Spans are made, as in every service."""
    trace.set_tracer_provider(TracerProvider())
