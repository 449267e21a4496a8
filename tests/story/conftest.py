"""The whole of Assent, on real Apache Kafka and a Postgres of its own."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from tests.support.assent import Assent
from tests.support.kafka import jars
from tests.support.plugin import SecuredKafka

StartAssent = Callable[..., Awaitable[Assent]]


@pytest.fixture
async def start_assent(tmp_path: Path) -> AsyncIterator[StartAssent]:
    """Starts an `assent up` for this test alone. It is gone after the test."""
    started: list[Assent] = []

    async def start(environment: dict[str, str] | None = None, *arguments: str) -> Assent:
        assent = Assent(tmp_path / f"state-{len(started)}", environment or {}, *arguments)
        started.append(assent)
        await assent.start()
        return assent

    yield start
    for assent in started:
        await assent.close()


@pytest.fixture
def guarded(kafka: str, topic_prefix: str, request: pytest.FixtureRequest) -> dict[str, str]:
    """The run's Kafka by TLS for who logs in, or plain where it is the embedded one, which knows neither."""
    shared = {"ASSENT_KAFKA_BOOTSTRAP_SERVERS": kafka, "ASSENT_KAFKA_TOPIC_PREFIX": topic_prefix}
    if not jars.available():
        return shared
    secured: SecuredKafka = request.getfixturevalue("secured_kafka")
    return shared | {
        "ASSENT_KAFKA_BOOTSTRAP_SERVERS": secured.guarded,
        "ASSENT_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "ASSENT_KAFKA_SSL_CAFILE": secured.authority,
        "ASSENT_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
        "ASSENT_KAFKA_SASL_USERNAME": secured.user,
        "ASSENT_KAFKA_SASL_PASSWORD": secured.password,
    }


@pytest.fixture
async def assent(start_assent: StartAssent, kafka: str, topic_prefix: str) -> Assent:
    """On the run's Apache Kafka."""
    return await start_assent({"ASSENT_KAFKA_BOOTSTRAP_SERVERS": kafka, "ASSENT_KAFKA_TOPIC_PREFIX": topic_prefix})
