"""Real servers and services that are told what the Compose file tells its containers find each other by TLS alone."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from asyncio.subprocess import DEVNULL, STDOUT, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest
from assent_common import http_client
from assent_common.kafka.connection import BrokerUnavailable, ensure_topics
from assent_common.kafka.topics import REGISTRY
from assent_common.settings import Settings
from assent_local import up as runner
from assent_local.ports import free_port
from assent_local.postgres import Postgres
from pydantic import SecretStr

from tests.containers import composed, dockerfile
from tests.containers.composed import METRICS_TOKEN, TOLD, Compose, Here
from tests.support.kafka import jars
from tests.support.kafka.server import Kafka
from tests.support.refused import refusal
from tests.support.wait import until

OURS = sorted(runner.SERVICES)
READY_WITHIN_S = 120.0
STOPPED_WITHIN_S = 15.0


@pytest.fixture(scope="module")
def here(repository: Path, certificates: Path) -> Here:
    return Here(repository, certificates, TOLD)


@pytest.fixture(scope="module")
async def postgres(
    repository: Path, compose: Compose, here: Here, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Postgres]:
    """With the databases of the script, and started with the options of the Compose file."""
    binaries = _of_debian()
    if binaries is None:
        pytest.skip("needs a Postgres that speaks TLS: apt install postgresql")
    folder = tmp_path_factory.mktemp("postgres")
    server = Postgres(folder, free_port(), durable=False, binaries=binaries)
    await server.start()
    try:
        _create_databases(repository, server, binaries)
        options = _options(compose, here, folder)
        assert set(options) == {"ssl", "ssl_cert_file", "ssl_key_file", "hba_file"}
        connection = await asyncpg.connect(server.plain_url("postgres"))
        for name, value in options.items():
            await connection.execute(f"alter system set {name} = '{value}'")
        await connection.close()
        await server.stop()
        await server.start()
        yield server
    finally:
        await server.kill()


@pytest.fixture(scope="module")
async def kafka(
    compose: Compose, here: Here, certificates: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Kafka]:
    """Told all that the Compose file tells it, at ports and in a folder of its own."""
    if not jars.available():
        pytest.skip("needs Apache Kafka: Java and Maven are not both installed")
    told = {
        name.removeprefix("KAFKA_").lower().replace("_", "."): here.put(value, compose, "kafka")
        for name, value in composed.environment(compose, "kafka", TOLD).items()
        if name not in {"KAFKA_LOG_DIRS", "KAFKA_HEAP_OPTS"}
    }
    ours = {":9092": ":{port}", ":9093": ":{controller_port}", "//kafka:": "//localhost:"}
    for inside, there in ours.items():
        assert any(inside in value for value in told.values())
        told = {name: value.replace(inside, there) for name, value in told.items()}
    assert {name for name in told if name.startswith("ssl.")} == {
        *("ssl.keystore.type", "ssl.keystore.location", "ssl.truststore.type", "ssl.truststore.location")
    }
    server = Kafka(tmp_path_factory.mktemp("kafka"), told=told, authority=certificates / "ca.pem")
    await server.start()
    yield server
    await server.kill()


class Running(NamedTuple):
    port: int
    told: Mapping[str, str]


@pytest.fixture(scope="module")
async def services(
    compose: Compose,
    stages: dockerfile.Stages,
    here: Here,
    postgres: Postgres,
    kafka: Kafka,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[dict[str, Running]]:
    """All three, told what the Compose file tells them, but that containers are ports of this machine."""
    ports = {service: free_port() for service in OURS}
    running: dict[str, Running] = {}
    async with AsyncExitStack() as stack:
        for service in OURS:
            told = _told(compose, here, service, postgres, kafka, ports)
            folder = tmp_path_factory.mktemp(service)
            process = await stack.enter_async_context(_process(stages, service, told, folder))
            running[service] = Running(ports[service], told)
            asked = partial(_probe, compose, service, running[service], process, folder / "log")
            await until(asked, within_s=READY_WITHIN_S)
        yield running


async def test_postgres_shows_who_it_is_and_takes_nobody_in_the_clear(
    compose: Compose, postgres: Postgres, certificates: Path, tmp_path: Path
) -> None:
    # The other role is let in by this one, when the service starts for the first time.
    user, password = "assent_workflow_owner", TOLD["WORKFLOW_OWNER_PASSWORD"]
    url = f"postgresql+asyncpg://{user}:{password}@localhost:{postgres.port}/assent_workflow"
    trusting = f"{url}?sslmode=verify-full&sslrootcert={certificates / 'ca.pem'}"
    assert await refusal(trusting) is None
    assert "no encryption" in repr(await refusal(f"{url}?sslmode=disable"))
    stranger = trusting.replace(str(certificates), str(_another_authority(tmp_path)))
    assert "CERTIFICATE_VERIFY_FAILED" in repr(await refusal(stranger))
    wrong = trusting.replace(password, "swordfish")
    assert "password authentication failed" in repr(await refusal(wrong))
    # The health check asks without a certificate, and without a password.
    program, *options = compose["services"]["postgres"]["healthcheck"]["test"][1:]
    binaries = _of_debian()
    assert binaries is not None
    asked = await asyncio.create_subprocess_exec(
        *(str(binaries / program), *options, "--port", str(postgres.port)), env={"PATH": os.defpath}, stdout=DEVNULL
    )
    assert await asked.wait() == 0


async def test_kafka_shows_who_it_is_and_takes_nobody_in_the_clear(
    compose: Compose, here: Here, kafka: Kafka, tmp_path: Path
) -> None:
    settings = _settings_for_kafka(compose, here, kafka)
    await ensure_topics(settings, [REGISTRY])
    plain = settings.model_copy(update={"kafka_security_protocol": "PLAINTEXT"})
    with pytest.raises(BrokerUnavailable, match="listens to TLS alone"):
        await ensure_topics(plain, [REGISTRY])
    stranger = settings.model_copy(update={"kafka_ssl_cafile": str(_another_authority(tmp_path) / "ca.pem")})
    with pytest.raises(BrokerUnavailable, match="certificate that is not trusted"):
        await ensure_topics(stranger, [REGISTRY])


def test_kafkas_own_tools_ask_it_with_the_file_that_the_health_check_has(
    repository: Path, compose: Compose, here: Here, kafka: Kafka, tmp_path: Path
) -> None:
    asks = compose["services"]["kafka"]["healthcheck"]["test"]
    at = asks[asks.index("--command-config") + 1]
    file = tmp_path / "client.properties"
    said = (repository / composed.mounts(compose, "kafka")[at]).read_text()
    file.write_text(here.put(said, compose, "kafka"))
    bootstrap = kafka.bootstrap_servers.replace("127.0.0.1", "localhost")
    command = ["java", "-Xmx128m", "-cp", f"{jars.fetched()}/*", "org.apache.kafka.tools.BrokerApiVersionsCommand"]
    asked = subprocess.run(
        [*command, "--bootstrap-server", bootstrap, "--command-config", str(file)],
        capture_output=True,
        text=True,
        check=False,
        timeout=READY_WITHIN_S,
    )
    assert asked.returncode == 0, asked.stdout + asked.stderr
    assert f"{bootstrap} (id: 1" in asked.stdout


async def test_the_services_find_postgres_kafka_and_each_other(services: dict[str, Running]) -> None:
    assert sorted(services) == OURS
    signed = {"Authorization": f"Bearer {METRICS_TOKEN}"}
    for port, told in services.values():
        async with http_client.among_ourselves(told["ASSENT_SERVICES_CAFILE"]) as asking:
            await until(partial(_finds_all, asking, port, signed), within_s=READY_WITHIN_S)
            assert (await asking.get(f"{told['ASSENT_CONNECTOR_URL']}/health/live")).status_code == 200
            with pytest.raises(httpx.TransportError):
                await asking.get(f"http://localhost:{port}/health/live")
        async with http_client.create() as stranger:
            with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
                await stranger.get(f"https://localhost:{port}/health/live")


async def _finds_all(asking: httpx.AsyncClient, port: int, signed: Mapping[str, str]) -> bool:
    answer = await asking.get(f"https://127.0.0.1:{port}/health/ready", headers=signed)
    found: dict[str, Any] = answer.json()["dependencies"]
    states = {name: each["status"] for name, each in found.items() if name.split(":")[0] in ("postgres", "kafka")}
    return len(states) >= 3 and set(states.values()) == {"working"}


@asynccontextmanager
async def _process(
    stages: dockerfile.Stages, service: str, told: Mapping[str, str], folder: Path
) -> AsyncIterator[Process]:
    """The image's own command, out of this environment."""
    program, *arguments = dockerfile.command(stages, service)
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(str(Path(sys.executable).parent / program), *arguments),
            env={"PATH": os.defpath, **told},
            cwd=folder,
            stdin=DEVNULL,
            stdout=log,
            stderr=STDOUT,
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(STOPPED_WITHIN_S):
            assert await process.wait() == 0


async def _probe(compose: Compose, service: str, running: Running, process: Process, log: Path) -> bool:
    """As its container is watched."""
    if process.returncode is not None:
        raise AssertionError(await asyncio.to_thread(log.read_text))
    program, *arguments = compose["services"][service]["healthcheck"]["test"][1:]
    assert program == "python"
    asked = await asyncio.create_subprocess_exec(sys.executable, *arguments, env=dict(running.told))
    return await asked.wait() == 0


def _told(
    compose: Compose, here: Here, service: str, postgres: Postgres, kafka: Kafka, ports: Mapping[str, int]
) -> dict[str, str]:
    there = {
        "@postgres:5432": f"@localhost:{postgres.port}",
        "kafka:9092": kafka.bootstrap_servers,
        "//sagemaker-connector:8083": f"//localhost:{ports['sagemaker-connector']}",
    }
    told = composed.environment(compose, service, TOLD)
    for inside, outside in there.items():
        assert any(inside in value for value in told.values())
        told = {name: value.replace(inside, outside) for name, value in told.items()}
    return {
        **{name: here.put(value, compose, service) for name, value in told.items()},
        "ASSENT_PORT": str(ports[service]),
        # An AWS that is not there: the connector says so, and goes on.
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nobody",
        "AWS_ENDPOINT_URL": f"https://127.0.0.1:{free_port()}",
    }


def _settings_for_kafka(compose: Compose, here: Here, kafka: Kafka) -> Settings:
    told = composed.environment(compose, "workflow", TOLD)
    said = {
        name.removeprefix("ASSENT_").lower(): here.put(value, compose, "workflow")
        for name, value in told.items()
        if name.startswith("ASSENT_KAFKA_") and value
    }
    assert {"kafka_security_protocol", "kafka_ssl_cafile"} <= set(said)
    said["kafka_bootstrap_servers"] = kafka.bootstrap_servers
    return Settings.model_validate({"database_url": SecretStr("postgresql://unused"), **said})


def _options(compose: Compose, here: Here, folder: Path) -> dict[str, str]:
    """What the entrypoint of the Compose file hands to Postgres, once it has copied the key; it runs here, with `echo`
    in place of the image's own."""
    made = compose["services"]["postgres"]
    shell, option, script, name = made["entrypoint"]
    command = [*made["command"]]
    copied = folder / "tls.pem"
    script = here.put(script.replace("$$", "$"), compose, "postgres").replace("/tmp/tls.pem", str(copied))  # noqa: S108
    assert str(copied) in script
    done = subprocess.run(
        [shell, option, script.replace("docker-entrypoint.sh", "echo"), name, *command],
        env={"PATH": os.defpath},
        capture_output=True,
        text=True,
        check=True,
    )
    assert copied.stat().st_mode & 0o077 == 0
    program, *options = done.stdout.split()
    assert program == "postgres"
    told = " ".join(options).replace("/tmp/tls.pem", str(copied))  # noqa: S108
    return dict(re.findall(r"-c (\w+)=(\S+)", here.put(told, compose, "postgres")))


def _create_databases(repository: Path, server: Postgres, binaries: Path) -> None:
    subprocess.run(
        ["sh", str(repository / "deploy/compose/create-databases.sh")],
        env={
            "PATH": f"{binaries}:{os.defpath}",
            "PGHOST": "127.0.0.1",
            "PGPORT": str(server.port),
            "PGPASSWORD": server.password,
            "POSTGRES_USER": urlsplit(server.plain_url("postgres")).username or "",
            **{name: value for name, value in TOLD.items() if name.endswith("_PASSWORD")},
        },
        capture_output=True,
        check=True,
    )


def _of_debian() -> Path | None:
    """The programs of a Postgres of this machine: Debian's speaks TLS, the wheel's is built without it."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
    return found[0].parent if found else None


def _another_authority(folder: Path) -> Path:
    """Of the same name, by the same script."""
    script = Path(__file__).parents[2] / "deploy/compose/new-certificates.sh"
    subprocess.run(["sh", str(script), str(folder / "another")], capture_output=True, check=True)
    return folder / "another"
