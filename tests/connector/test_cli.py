"""What an operator types, as a process of its own, against a connector and a simulated SageMaker."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple

import pytest
import uvicorn
from assent_common.database import Database
from assent_common.health import Health
from assent_common.http import app as http_app
from assent_common.identity.roles import Principal, Role
from assent_local.ports import free_port
from assent_local.simulator import Simulator
from assent_sagemaker import routes
from assent_sagemaker.access.check import Checker
from assent_sagemaker.aws.clients import Clients
from assent_sagemaker.aws.limiter import Limiter
from assent_sagemaker.sources import Source

from tests.connector import world
from tests.connector.conftest import Connect
from tests.support.wait import until


class Said(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


Start = Callable[..., Awaitable[Process]]
Assent = Callable[..., Awaitable[Said]]


@pytest.fixture
async def url(store: Database) -> AsyncIterator[str]:
    """The connector's HTTP. Tokens are roles' names: how they are verified is the library's."""

    async def authenticate(token: str) -> Principal:
        return Principal("tests", f"{token}-1", frozenset({Role(token)}))

    sources = {name: Source(name=name, region=world.REGION, write_back=True) for name in ("demo", "spare")}
    async with Clients(store.clock) as clients:
        checker = Checker(store, clients, Limiter())
        app = http_app.build(
            title="connector",
            version="0",
            description="",
            routers=routes.routers(store, sources, lambda _: None, checker.check),
            database=store,
            health=Health(store.clock),
            authenticate=authenticate,
        )
        port = free_port()
        server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, lifespan="off"))
        serving = asyncio.create_task(server._serve())
        await until(lambda: server.started, within_s=10)
        yield f"http://127.0.0.1:{port}"
        server.should_exit = True
        await serving


@pytest.fixture
async def start(url: str) -> AsyncIterator[Start]:
    started: list[Process] = []

    async def start(*arguments: str, role: Role = Role.ADMIN) -> Process:
        environment = {**os.environ, "ASSENT_CONNECTOR_URL": url, "ASSENT_TOKEN": role.value, "COLUMNS": "200"}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "assent_local", *arguments), env=environment, stdout=PIPE, stderr=PIPE
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.fixture
def assent(start: Start) -> Assent:
    async def assent(*arguments: str, role: Role = Role.ADMIN) -> Said:
        return await ended(await start(*arguments, role=role))

    return assent


async def ended(process: Process) -> Said:
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert process.returncode is not None
    return Said(process.returncode, out.decode(), err.decode())


async def test_a_full_sync_is_followed_to_its_end(company: Simulator, connect: Connect, assent: Assent) -> None:
    connector = await connect()
    said = await assent("sync", "demo", "--full")
    assert said.code == 0, said.err
    last = said.out.splitlines()[-1]
    assert last.startswith("completed: 48 listed, 48 read")
    assert "calls" in last
    assert (await connector.runs())[-1].mode == "full"


async def test_without_full_only_what_changed_is_read(company: Simulator, connect: Connect, assent: Assent) -> None:
    await connect()
    said = await assent("sync", "demo", "--json")
    assert said.code == 0, said.err
    assert len(said.lines) >= 1
    last = said.lines[-1]
    assert (last["mode"], last["status"], last["cause"]) == ("incremental", "completed", "request")
    assert last["traffic"]["calls"]["search"] >= 1


async def test_a_sync_that_fails_says_why_and_ends_with_1(company: Simulator, connect: Connect, assent: Assent) -> None:
    await connect()
    company.dial(denied=["ListModelPackageGroups"])
    said = await assent("sync", "demo", "--full")
    assert said.code == 1
    assert "failed" in said.out
    assert "sagemaker:ListModelPackageGroups" in said.out


async def test_who_stops_waiting_leaves_the_run_going(company: Simulator, connect: Connect, start: Start) -> None:
    connector = await connect()
    company.dial(latency_ms=300)
    waiting = await start("sync", "demo", "--full")
    assert waiting.stdout is not None
    async with asyncio.timeout(30):
        await waiting.stdout.readline()
    waiting.send_signal(signal.SIGINT)
    said = await ended(waiting)
    assert said.code == 130, said
    assert "the run goes on" in said.out
    company.dial()

    async def completed() -> bool:
        return (await connector.runs())[-1].status == "completed"

    await until(completed, within_s=30)


async def test_sources_are_listed_with_how_fresh_they_are(company: Simulator, connect: Connect, assent: Assent) -> None:
    await connect()
    said = await assent("sources", "list", role=Role.VIEWER)
    assert said.code == 0, said.err
    heading, demo, spare = said.out.splitlines()
    assert heading.split() == ["source", "plan", "fresh", "live", "last", "error"]
    assert demo.split() == ["demo", "search", "0", "s", "50"]
    assert spare.split() == ["spare", "not", "read", "yet", "never", "0"]
    documents = (await assent("sources", "list", "--json", "--name", "dem")).lines
    assert [each["name"] for each in documents] == ["demo"]
    assert (await assent("sources", "list", "--json", "--failing")).lines == []


async def test_a_missing_permission_is_told_with_what_to_add(company: Simulator, assent: Assent) -> None:
    assert (await assent("sources", "test", "demo")).code == 0
    company.dial(denied=["ListTags"])
    said = await assent("sources", "test", "demo")
    assert said.code == 1
    assert "✗ sagemaker:ListTags" in said.out
    assert "✓ sagemaker:ListModelPackages" in said.out
    added = json.loads(said.out.partition("Add to the role's policy:")[2].rpartition("]")[0] + "]")
    assert [(each["Effect"], each["Action"]) for each in added] == [("Allow", "sagemaker:ListTags")]
    (document,) = (await assent("sources", "test", "demo", "--json")).lines
    assert document["works"] is False
    assert document["fence"]["stands"] == "unknown"
    company.dial(errors={"ListTags": 1})
    assert (await assent("sources", "test", "demo")).code == 4


async def test_exit_codes_tell_who_may_not_from_what_is_not_there(simulator: Simulator, assent: Assent) -> None:
    assert (await assent("sync", "demo", role=Role.VIEWER)).code == 3
    assert (await assent("sources", "test", "demo", role=Role.LEGAL)).code == 3
    unknown = await assent("sync", "nowhere")
    assert unknown.code == 2
    assert "demo, spare" in unknown.err
    away = await assent("sync", "demo", "--url", f"http://127.0.0.1:{free_port()}")
    assert away.code == 4


async def test_the_guardrail_is_printed_for_whatever_deploys_it(assent: Assent) -> None:
    plain = await assent("aws", "guardrail")
    assert plain.code == 0
    assert json.loads(plain.out)["Statement"][0]["Sid"] == "OnlyAssentApproves"
    assert "--administrator" in plain.err
    role = "arn:aws:iam::111122223333:role/assent"
    terraform = await assent("aws", "guardrail", "--format", "terraform", "--role", role)
    assert 'resource "aws_organizations_policy"' in terraform.out
    assert terraform.err == ""
    refused = await assent("aws", "guardrail", "--role", "everybody")
    assert (refused.code, refused.out) == (2, "")
    assert "everybody" in refused.err
