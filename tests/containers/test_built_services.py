"""Each image's build steps taken in an empty folder, and the service started from what they made."""

import asyncio
import json
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from assent_common import http_client
from assent_local import up as runner
from assent_local.ports import free_port

from tests.containers import dockerfile
from tests.support.wait import until

READY_WITHIN_S = 45.0
STOPPED_WITHIN_S = 10.0


@pytest.fixture(scope="module")
async def build(
    stages: dockerfile.Stages, repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> dockerfile.Build:
    return dockerfile.Build(stages, repository, tmp_path_factory.mktemp("build"))


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with http_client.create() as client:
        yield client


@pytest.mark.parametrize("service", sorted(runner.SERVICES))
async def test_a_service_runs_from_what_its_image_holds(
    service: str,
    build: dockerfile.Build,
    stages: dockerfile.Stages,
    http: httpx.AsyncClient,
    database_plain_url: str,
    kafka: str,
    topic_prefix: str,
    tmp_path: Path,
) -> None:
    app = await build.target(service)
    before = _files(app)
    port = free_port()
    told = {
        "ASSENT_DATABASE_URL": database_plain_url,
        "ASSENT_KAFKA_BOOTSTRAP_SERVERS": kafka,
        "ASSENT_KAFKA_TOPIC_PREFIX": topic_prefix,
        "ASSENT_PORT": str(port),
        # An AWS that is not there: the connector must come up and say so, not fall.
        "AWS_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nobody",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}",
    }
    process = await _started(app, stages, service, told, tmp_path)
    try:
        await until(lambda: _probe(app, port, process, tmp_path), within_s=READY_WITHIN_S)
        answer = await http.get(f"http://127.0.0.1:{port}/health/ready")
        dependencies: dict[str, Any] = answer.json()["dependencies"]
        assert dependencies["postgres"]["status"] == "working"
        title = (await http.get(f"http://127.0.0.1:{port}/openapi.json")).json()["info"]["title"]
        assert service.removeprefix("sagemaker-").split("-")[0] in title.lower()
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(STOPPED_WITHIN_S):
            status = await process.wait()
    assert status == 0, (tmp_path / "log").read_text()
    # A container's root may be read-only: a service writes nothing beside its own code.
    assert _files(app) == before


async def test_the_probe_fails_where_nobody_answers(build: dockerfile.Build, tmp_path: Path) -> None:
    app = await build.target("workflow")
    assert await _exit_of_probe(app, free_port(), tmp_path) == 1


async def _started(
    app: Path, stages: dockerfile.Stages, service: str, told: Mapping[str, str], folder: Path
) -> Process:
    """The image's own command, with the image's own environment but for its paths."""
    program, *arguments = dockerfile.command(stages, service)
    image = dockerfile.environment(stages, service)
    with (folder / "log").open("wb") as log:
        return await asyncio.create_subprocess_exec(
            *(str(app / "bin" / program), *arguments),
            env={**image, "PATH": f"{app}/bin:{os.defpath}", "ASSENT_HOST": "127.0.0.1", **told},
            cwd=folder,
            stdin=DEVNULL,
            stdout=log,
            stderr=STDOUT,
        )


async def _probe(app: Path, port: int, process: Process, folder: Path) -> bool:
    assert process.returncode is None, (folder / "log").read_text()
    return await _exit_of_probe(app, port, folder) == 0


async def _exit_of_probe(app: Path, port: int, folder: Path) -> int:
    """As the Compose file asks: with nothing but the image's Python."""
    probe = await asyncio.create_subprocess_exec(
        *(str(app / "bin/python"), "-m", "assent_common.probe", "ready"),
        env={"ASSENT_PORT": str(port), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=folder,
        stdout=PIPE,
        stderr=STDOUT,
    )
    said, _ = await probe.communicate()
    assert not said, said.decode()
    assert probe.returncode is not None
    return probe.returncode


def _files(app: Path) -> set[Path]:
    found = set(app.rglob("*"))
    assert len(found) > 1000, json.dumps(sorted(map(str, found))[:20])
    return found
