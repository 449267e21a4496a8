"""The gate as a process of its own, asked by the command line, and killed."""

import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx
import pytest
import yaml
from assent_common.probe import healthy
from assent_local.ports import free_port

from tests.support.plugin import OwnPostgres
from tests.support.wait import until
from tests.workflow.world import SIGNER, URN, a_use_case, a_version, a_world

TOKEN = "a token of a pipeline"


@dataclass
class Gate:
    process: Process
    url: str
    database_url: str


@pytest.fixture
async def gate(database_url: str, database_plain_url: str, kafka: str, topic_prefix: str) -> AsyncIterator[Gate]:
    async with a_gate(database_url, database_plain_url, kafka, topic_prefix) as gate:
        yield gate


@asynccontextmanager
async def a_gate(database_url: str, database_plain_url: str, kafka: str, topic_prefix: str) -> AsyncIterator[Gate]:
    """A workflow service in whose database a version is accepted for `retention`."""
    async with a_world(database_url) as world:
        await world.hears(a_use_case(), a_version())
        await world.approve_all((await world.put_forward())["id"])
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "assent_workflow.main"),
        env={
            **os.environ,
            "ASSENT_DATABASE_URL": database_plain_url,
            "ASSENT_KAFKA_BOOTSTRAP_SERVERS": kafka,
            "ASSENT_KAFKA_TOPIC_PREFIX": topic_prefix,
            "ASSENT_PORT": str(port),
            "ASSENT_SIGNING_KEY": "11" * 32,
            "ASSENT_SERVICE_TOKENS": json.dumps({"ci": hashlib.sha256(TOKEN.encode()).hexdigest()}),
        },
        stdin=DEVNULL,
        stdout=DEVNULL,
        stderr=DEVNULL,
    )
    await until(lambda: asyncio.to_thread(healthy, port, "ready"), within_s=120)
    yield Gate(process, f"http://127.0.0.1:{port}", database_plain_url)
    if process.returncode is None:
        process.kill()
        await process.wait()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
async def test_whatever_was_answered_was_kept_however_it_ends(gate: Gate, how: signal.Signals) -> None:
    answered: list[str] = []
    headers = {"Authorization": f"Bearer {TOKEN}"}

    async def ask() -> None:
        async with httpx.AsyncClient(headers=headers) as client:
            while gate.process.returncode is None:
                try:
                    answer = await client.post(f"{gate.url}/v1/gate", json={"model_version": URN})
                except httpx.HTTPError:
                    return
                assert answer.status_code == 200, answer.text
                answered.append(answer.json()["question"])

    async with asyncio.TaskGroup() as tasks:
        for _ in range(4):
            tasks.create_task(ask())
        await until(lambda: len(answered) >= 100, within_s=120)
        gate.process.send_signal(how)
        async with asyncio.timeout(15):
            await gate.process.wait()
    assert len(answered) >= 100
    assert set(answered) <= await _kept(gate)


async def test_whatever_was_answered_was_kept_though_postgres_crashes(
    own_postgres: OwnPostgres, kafka: str, topic_prefix: str
) -> None:
    postgres = await own_postgres(durable=True)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    addresses = postgres.url("postgres"), postgres.plain_url("postgres")
    async with (
        a_gate(*addresses, kafka, topic_prefix) as gate,
        httpx.AsyncClient(base_url=gate.url, headers=headers) as client,
    ):
        answered: set[str] = set()

        async def ask() -> bool:
            answer = await client.post("/v1/gate", json={"model_version": URN})
            if answer.status_code == 200:
                answered.add(answer.json()["question"])
            return answer.status_code == 200

        for _ in range(3):
            await until(ask, within_s=60)
            for _ in range(20):
                assert await ask()
            await postgres.kill()
            await postgres.start()
            assert answered <= await _kept(gate)


async def _kept(gate: Gate) -> set[str]:
    connection = await asyncpg.connect(gate.database_url)
    try:
        return {str(row["id"]) for row in await connection.fetch("select id from gate_questions")}
    finally:
        await connection.close()


async def test_the_command_line_asks_and_hands_on_what_others_can_check(gate: Gate, tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text(json.dumps(SIGNER.jwks()))
    at = ["--url", gate.url, "--token", TOKEN]
    yes = await _assent("gate", URN, "--use-case", "retention", *at, "--save", str(tmp_path / "answer"))
    assert yes[0] == 0, yes[1]
    check = ["gate", "verify", str(tmp_path / "answer"), "--keys", str(tmp_path / "keys.json")]
    assert await _assent(*check, "--model-version", URN) == (0, f"allow: {URN}")
    code, said = await _assent(*check, "--environment", "production")
    assert (code, "not for production" in said) == (3, True)

    code, said = await _assent("gate", URN, "--artifact-digest", "sha256:" + "00" * 32, *at)
    assert code == 3
    assert "nobody can tell whether yours is the one that was judged" in said
    assert "Deploy the very artifact" in said
    assert (await _assent("gate", *at))[0] == 2


async def _assent(*arguments: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "assent_local", *arguments), stdout=PIPE, stderr=PIPE
    )
    said, complained = await process.communicate()
    assert process.returncode is not None
    return process.returncode, " ".join((said + complained).decode().split())


WAYS = ("github", "gitlab", "sagemaker")
GATE = Path(__file__).parents[2] / "deploy" / "gate"


@pytest.mark.parametrize("way", WAYS)
async def test_a_pipeline_goes_on_only_after_a_yes(gate: Gate, way: str, tmp_path: Path) -> None:
    yes = {"MODEL_VERSION": URN, "USE_CASE": "retention", "ENVIRONMENT": "production"}
    assert await _in_pipeline(way, gate.url, TOKEN, yes, tmp_path) == (True, True)
    no = yes | {"USE_CASE": "marketing"}
    assert await _in_pipeline(way, gate.url, TOKEN, no, tmp_path) == (False, False)
    assert await _in_pipeline(way, gate.url, "another token", yes, tmp_path) == (False, False)
    assert await _in_pipeline(way, f"http://127.0.0.1:{free_port()}", TOKEN, yes, tmp_path) == (False, False)


async def _in_pipeline(way: str, url: str, token: str, question: dict[str, str], folder: Path) -> tuple[bool, bool]:
    """Whether it went on, and whether a signed or kept answer was handed on."""
    environment = {"PATH": os.environ["PATH"], "ASSENT_WORKFLOW_URL": url, "ASSENT_TOKEN": token}
    if way == "sagemaker":
        (step,) = [
            s for s in json.loads((GATE / "sagemaker/pipeline.json").read_text())["Steps"] if "Gate" in s["Name"]
        ]
        arguments = {name: question[name.upper()] for name in step["Arguments"]}
        program = f"import gate_step, json; print(json.dumps(gate_step.handler({arguments!r}, None)))"
        code, said = await _run(sys.executable, "-c", program, cwd=GATE / "sagemaker", env=environment)
        outputs = {output["OutputName"] for output in step["OutputParameters"]}
        return code == 0, code == 0 and set(json.loads(said)) == outputs
    if way == "github":
        (step,) = yaml.safe_load((GATE / "github/action.yml").read_text())["runs"]["steps"]
        assert set(question) < set(step["env"])
        output = folder / "output"
        output.write_text("")
        environment |= {"GATE": str(GATE / "gate.sh"), "GITHUB_OUTPUT": str(output), "ANSWER": str(folder / "answer")}
        code, _ = await _run("bash", "-e", "-c", step["run"], cwd=folder, env=environment | question)
        return code == 0, output.read_text().startswith("answer=ey")
    (script,) = yaml.safe_load((GATE / "gitlab/gate.yml").read_text())[".assent-gate"]["script"]
    assert script.strip() == (GATE / "gate.sh").read_text().partition("\n")[2].strip()
    code, said = await _run("sh", "-c", script, cwd=folder, env=environment | question)
    assert code in (0, 3, 4)
    return code == 0, "accepted for the use case" in said


async def _run(*command: str, cwd: Path, env: dict[str, str]) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(*command, cwd=cwd, env=env, stdout=PIPE, stderr=DEVNULL)
    said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()


@pytest.mark.parametrize(
    ("schema", "file"), [("vendor.github-actions", "github/action.yml"), ("vendor.gitlab-ci", "gitlab/gate.yml")]
)
def test_the_examples_are_what_their_runners_take(schema: str, file: str) -> None:
    checked = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, GATE / file],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout
