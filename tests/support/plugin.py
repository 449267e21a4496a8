"""Real servers for tests: Postgres and Apache Kafka, each started by the first test of a run that asks for it.

All xdist workers share them, so a test keeps to its own database and its own topics. One that stops, kills or freezes a
server asks for its own.
"""

import os
import re
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from assent_common import telemetry
from assent_local.ports import free_port
from assent_local.postgres import Databases, Postgres

from tests.support import keeper
from tests.support.kafka import jars
from tests.support.kafka.server import Kafka

NO_KAFKA = (
    "NO APACHE KAFKA: Java and Maven are not both installed, so these tests ran on the embedded broker, which is "
    "another implementation. Install a JRE (17 or newer) and Maven to run what CI runs."
)

OwnPostgres = Callable[..., Awaitable[Postgres]]
OwnKafka = Callable[..., Awaitable[Kafka]]

_RUN = pytest.StashKey[Path]()
_CONTROLLER = pytest.StashKey[int]()


@pytest.fixture(scope="session")
def postgres_server(pytestconfig: pytest.Config) -> Databases:
    """The run's Postgres. It forgets all when the machine stops, and is quick for it."""
    address = keeper.address_of("postgres", pytestconfig.stash[_RUN], pytestconfig.stash[_CONTROLLER])
    return Databases(int(address["port"]), address["password"])


@pytest.fixture
async def database(postgres_server: Databases, request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """The name of an empty database for this test alone."""
    name = f"{_slug(request.node.name)[:40]}_{secrets.token_hex(4)}"
    await postgres_server.create_database(name)
    yield name
    await postgres_server.drop_database(name)


@pytest.fixture
def database_url(postgres_server: Databases, database: str) -> str:
    """This test's database, for SQLAlchemy."""
    return postgres_server.url(database)


@pytest.fixture
def database_plain_url(postgres_server: Databases, database: str) -> str:
    """The same database, for asyncpg itself."""
    return postgres_server.plain_url(database)


@pytest.fixture(scope="session")
def kafka(pytestconfig: pytest.Config) -> str:
    """The run's Kafka as `host:port`. Topics come into being with 6 partitions when they are first written to."""
    broker: keeper.Server = "kafka" if jars.available() else "embedded_broker"
    address = keeper.address_of(broker, pytestconfig.stash[_RUN], pytestconfig.stash[_CONTROLLER])
    return address["bootstrap_servers"]


class SecuredKafka(NamedTuple):
    """The same Kafka, at the addresses where it speaks TLS, and where it lets in by SCRAM-SHA-512 or a certificate."""

    bootstrap_servers: str
    encrypted: str
    guarded: str
    mutual: str
    certificate: str
    key: str
    authority: str
    user: str
    password: str


@pytest.fixture(scope="session")
def secured_kafka(pytestconfig: pytest.Config) -> SecuredKafka:
    """Where the run's Kafka is reached with TLS, and by whom."""
    if not jars.available():
        pytest.skip("needs Apache Kafka: Java and Maven are not both installed")
    return SecuredKafka(**keeper.address_of("kafka", pytestconfig.stash[_RUN], pytestconfig.stash[_CONTROLLER]))


@pytest.fixture
def topic_prefix() -> str:
    """For the names of topics and groups, so that tests meet on none."""
    return f"t{secrets.token_hex(4)}."


@pytest.fixture
async def own_postgres(tmp_path: Path) -> AsyncIterator[OwnPostgres]:
    """Starts a Postgres for this test alone, to be stopped and started at will. It is gone after the test.

    A `durable` one has what it acknowledged after a crash.
    """
    started: list[Postgres] = []

    async def start(*, durable: bool = False) -> Postgres:
        postgres = Postgres(tmp_path / f"postgres-{len(started)}", free_port(), durable=durable)
        started.append(postgres)
        await postgres.start()
        return postgres

    yield start
    for postgres in started:
        await postgres.kill()


@pytest.fixture
async def own_kafka(tmp_path: Path) -> AsyncIterator[OwnKafka]:
    """Starts an Apache Kafka for this test alone, to be stopped, frozen and wiped. It is gone after the test.

    Told an `advertised_port`, it sends there who came by its `proxied_port`.
    """
    if not jars.available():
        pytest.skip("needs Apache Kafka: Java and Maven are not both installed")
    started: list[Kafka] = []

    async def start(advertised_port: int | None = None) -> Kafka:
        kafka = Kafka(tmp_path / f"kafka-{len(started)}", advertised_port)
        started.append(kafka)
        await kafka.start()
        return kafka

    yield start
    for kafka in started:
        await kafka.kill()


def pytest_configure(config: pytest.Config) -> None:
    # As in a service, and silent: what structlog prints by itself takes seconds for a traceback.
    telemetry.configure("tests", "ERROR")
    if _is_worker(config):
        config.stash[_RUN] = Path(config.workerinput["run"])  # type: ignore[attr-defined]
        config.stash[_CONTROLLER] = config.workerinput["controller"]  # type: ignore[attr-defined]
        return
    if os.environ.get("CI") == "true" and not jars.available():
        raise pytest.UsageError("CI=true, and Apache Kafka cannot run here: Java and Maven are needed")
    config.stash[_RUN] = Path(tempfile.mkdtemp(prefix="assent-tests-"))
    config.stash[_CONTROLLER] = os.getpid()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: pytest.Item) -> None:
    node.workerinput["run"] = str(node.config.stash[_RUN])  # type: ignore[attr-defined]
    node.workerinput["controller"] = node.config.stash[_CONTROLLER]  # type: ignore[attr-defined]


def pytest_unconfigure(config: pytest.Config) -> None:
    run = config.stash.get(_RUN, None)
    if run is not None and not _is_worker(config):
        keeper.stop_all(run)
        shutil.rmtree(run)


def pytest_report_header() -> str:
    return f"kafka: Apache Kafka {jars.version()}" if jars.available() else NO_KAFKA


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not jars.available():
        terminalreporter.section("Apache Kafka", sep="!", red=True, bold=True)
        terminalreporter.line(NO_KAFKA, red=True, bold=True)


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
