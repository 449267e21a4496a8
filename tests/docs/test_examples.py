"""The programs in the documentation, run as a reader would run them."""

import asyncio
import hashlib
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from aiokafka import AIOKafkaProducer
from assent_common import ids
from assent_common.events import envelope
from assent_common.events.governance import CandidacyChanged, CandidacyStatus
from assent_common.probe import healthy
from assent_local.ports import free_port

from tests.docs import snippets
from tests.support.wait import until

VERSION = "arn:aws:sagemaker:eu-central-1:111122223333:model-package/customer-churn/7"
TOKEN = "a token of a pipeline"


async def test_the_consumer_tells_each_change_once(kafka: str, topic_prefix: str, tmp_path: Path) -> None:
    candidacy = ids.new()
    under_review = _changed(candidacy, CandidacyStatus.UNDER_REVIEW, 2)
    accepted = _changed(candidacy, CandidacyStatus.ACCEPTED, 3)
    await _publish(kafka, f"{topic_prefix}assent.governance.v1", [under_review, accepted, under_review, accepted])
    last = ids.new()
    await _publish(kafka, f"{topic_prefix}assent.governance.v1", [_changed(last, CandidacyStatus.CANDIDATE, 1)])

    shown = snippets.one("docs/how-to/watch-the-events.md", "python", "AIOKafkaConsumer")
    for name in ('"assent.governance.v1"', '"acme-watch"'):
        assert shown.count(name) == 1
        shown = shown.replace(name, f'"{topic_prefix}{name[1:]}')
    (tmp_path / "watch.py").write_text(shown)
    # What its Kafka client has to say of a broker that only just came up is not what it tells.
    with (tmp_path / "stderr").open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(tmp_path / "watch.py"), kafka), stdout=PIPE, stderr=stderr
        )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(40):
            lines = [await process.stdout.readline() for _ in range(3)]
    finally:
        process.kill()
        await process.wait()
    told = [line.decode().strip() for line in lines]
    # Order is promised for one candidacy, not between two.
    assert [line for line in told if not line.startswith("candidate ")] == [
        f"under_review customer-retention {VERSION}",
        f"accepted customer-retention {VERSION}",
    ]
    assert f"candidate customer-retention {VERSION}" in told


@pytest.fixture
async def gate(database_plain_url: str, kafka: str, topic_prefix: str, tmp_path: Path) -> AsyncIterator[str]:
    """The workflow service, which knows of no model version yet."""
    port = free_port()
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    with (tmp_path / "workflow.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "assent_workflow.main"),
            env={
                **os.environ,
                "ASSENT_DATABASE_URL": database_plain_url,
                "ASSENT_KAFKA_BOOTSTRAP_SERVERS": kafka,
                "ASSENT_KAFKA_TOPIC_PREFIX": topic_prefix,
                "ASSENT_PORT": str(port),
                "ASSENT_SERVICE_TOKENS": f'{{"ci": "{digest}"}}',
            },
            stdin=DEVNULL,
            stdout=log,
            stderr=STDOUT,
        )
    try:
        await until(lambda: asyncio.to_thread(healthy, port, "ready"), within_s=30)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        async with asyncio.timeout(15):
            await process.wait()


@pytest.mark.parametrize("way", ["command line", "curl"])
async def test_a_pipeline_stops_where_the_gate_says_no_or_nothing(way: str, gate: str, tmp_path: Path) -> None:
    denied, said = await _ask(way, gate, TOKEN, tmp_path)
    assert (denied, "is not known" in said) == (3, True)
    refused, said = await _ask(way, gate, "another token", tmp_path)
    assert (refused, "401" in said) == (4, True)
    unanswered, _ = await _ask(way, f"http://127.0.0.1:{free_port()}", TOKEN, tmp_path)
    assert unanswered == 4


async def _ask(way: str, url: str, token: str, folder: Path) -> tuple[int, str]:
    page = "docs/how-to/ask-the-gate-from-ci.md"
    script = folder / "gate.sh"
    arguments: Sequence[str]
    if way == "curl":
        script.write_text(snippets.one(page, "bash", "# gate.sh"))
        arguments = [VERSION, "customer-retention"]
    else:
        script.write_text(snippets.one(page, "bash", "--use-case customer-retention"))
        arguments = []
    process: Process = await asyncio.create_subprocess_exec(
        *("bash", str(script), *arguments),
        env={
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "ASSENT_WORKFLOW_URL": url,
            "ASSENT_TOKEN": token,
            "MODEL_VERSION": VERSION,
        },
        stdout=PIPE,
        stderr=STDOUT,
    )
    async with asyncio.timeout(30):
        said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, " ".join(said.decode().split())


def _changed(id_: UUID, status: CandidacyStatus, sequence: int) -> tuple[bytes, bytes]:
    now = datetime(2026, 5, 1, tzinfo=UTC)
    state = CandidacyChanged(
        id=id_,
        use_case="customer-retention",
        use_case_id=ids.new(),
        model_version=VERSION,
        status=status,
        put_forward_by="ada",
        changed_by="ada",
        changed_at=now,
    )
    event = envelope.create(
        source="/assent/workflow",
        type="assent.governance.candidacy.changed.v1",
        subject=str(id_),
        sequence=sequence,
        time=now,
        data=state,
    )
    return str(id_).encode(), envelope.to_bytes(event)


async def _publish(kafka: str, topic: str, records: Sequence[tuple[bytes, bytes]]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka, compression_type="zstd")
    await producer.start()
    try:
        for key, body in records:
            await producer.send_and_wait(topic, body, key=key)
    finally:
        await producer.stop()
