"""`assent doctor` on a whole Assent: well at first, then broken on purpose, one thing after the other."""

import json
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from assent_common.kafka import topics
from assent_common.kafka.connection import options
from assent_common.kafka.disposal import close_admin
from assent_common.kafka.producer import Message, Publisher
from assent_common.settings import Settings
from assent_local import up as runner
from assent_local.doctor.brokers import BEHIND
from assent_local.ports import free_port
from pydantic import SecretStr

from tests.story.conftest import StartAssent
from tests.support.assent import Assent
from tests.support.wait import until

#: What there is to say of one that is well.
CHECKS = {
    *("settings", "service", "issuer", "clock", "postgres", "migrations", "outbox", "duties", "audit", "timers"),
    *("source", "kafka", "encryption", "topic", "lag", "dead letters", "checkpoint"),
}
WORKFLOW = "workflow"


#: Each of them would be known again wherever it came to light.
CANARIES = {
    "ASSENT_SIGNING_KEY": "ca0a11" + secrets.token_hex(29),
    "ASSENT_WEBHOOK_KEY": "ca0a12" + secrets.token_hex(29),
    "AWS_SECRET_ACCESS_KEY": "canary-of-aws-" + secrets.token_hex(8),
}


async def test_it_finds_nothing_wrong_with_one_that_is_well_and_names_what_is_broken(
    start_assent: StartAssent, guarded: dict[str, str], kafka: str, topic_prefix: str
) -> None:
    secret = CANARIES | {name: value for name, value in guarded.items() if "SASL_USER" in name or "PASSWORD" in name}
    assent = await start_assent({**guarded, **secret}, "--simulator")

    async def well() -> dict[tuple[str, str], dict[str, Any]]:
        code, found = await _examined(assent, "--state", str(assent.state))
        return found if code == 0 else {}

    # Sources are read and topics made within the first seconds.
    found = await until(well, within_s=120)
    assert found is not None
    assert {check for check, _ in found} == CHECKS
    assert {each["how"] for each in found.values()} <= {"fine", "noted"}

    settings = Settings(
        database_url=SecretStr("postgresql://unused"), kafka_bootstrap_servers=kafka, kafka_topic_prefix=topic_prefix
    )
    governance = topics.GOVERNANCE.full_name(topic_prefix)
    await _keep_everything(settings, governance)
    await _leave_a_dead_letter(settings, topics.dead_letters_of(topics.WORKFLOW).full_name(topic_prefix))
    databases = json.loads((assent.state / "databases.json").read_text())
    workflow = await asyncpg.connect(databases["workflow"])
    connector = await asyncpg.connect(databases["sagemaker-connector"])
    catalog = await asyncpg.connect(databases["catalog-api"])
    try:
        await workflow.execute("alter table audit disable trigger audit_append_only")
        await workflow.execute(
            "insert into timers (id, subject, kind, due_at, fire_at, failures, failure) "
            "select gen_random_uuid(), gen_random_uuid(), 'expiry', now(), now() + interval '1 hour', 3, 'no such row'"
        )
        await connector.execute(
            "insert into sources (name, seen_until, last_error) values ('gone', now() - interval '1 day', 'denied')"
        )
        await catalog.execute("update alembic_version set version_num = '0001'")
    finally:
        for connection in (workflow, connector, catalog):
            await connection.close()

    code, found = await _examined(assent, "--state", str(assent.state))
    assert code == 1
    broken = {at for at, each in found.items() if each["how"] == "wrong"}
    assert broken == {
        ("topic", governance),
        ("dead letters", WORKFLOW),
        ("audit", WORKFLOW),
        ("timers", WORKFLOW),
        ("source", "gone"),
        ("migrations", "catalog-api"),
    }
    assert all(found[at]["do"] for at in broken)
    assert "no such row" in found["timers", WORKFLOW]["says"]
    assert "denied" in found["source", "gone"]["says"]

    code, said = await assent.cli("doctor", "--state", str(assent.state))
    assert code == 1
    assert said.count("✗") == len(broken)
    assert "docs/runbooks/AssentTimersPutOff.md" in said
    # No password of a database is in what it says.
    assert all(url not in said for url in databases.values())
    await _no_secret_came_to_light(assent, secret.values(), databases, said)


async def test_it_tells_how_far_behind_a_reader_is_that_never_read(
    kafka: str, topic_prefix: str, tmp_path: Path
) -> None:
    settings = Settings(
        database_url=SecretStr("postgresql://unused"), kafka_bootstrap_servers=kafka, kafka_topic_prefix=topic_prefix
    )
    publisher = Publisher(settings, "tests")
    try:
        catalog = topics.CATALOG.full_name(topic_prefix)
        await publisher.publish([Message(catalog, b"key", b"{}", []) for _ in range(BEHIND + 1)])
    finally:
        await publisher.close()
    reading = Assent(tmp_path, {})
    try:
        code, found = await _examined(
            reading, *("--kafka", kafka, "--prefix", topic_prefix, "--service", "workflow=http://127.0.0.1:9")
        )
    finally:
        await reading.close()
    assert code == 1
    assert found["lag", WORKFLOW]["how"] == "wrong"
    assert found["lag", WORKFLOW]["says"].startswith(f"{BEHIND + 1} events")
    assert found["lag", "catalog-api"]["how"] == "fine"


async def test_what_it_says_of_dead_letters_can_be_done(kafka: str, topic_prefix: str, tmp_path: Path) -> None:
    settings = Settings(
        database_url=SecretStr("postgresql://unused"), kafka_bootstrap_servers=kafka, kafka_topic_prefix=topic_prefix
    )
    await _leave_a_dead_letter(settings, topics.dead_letters_of(topics.WORKFLOW).full_name(topic_prefix))
    reading = Assent(tmp_path, {})
    try:
        code, said = await reading.cli("dlq", "list", WORKFLOW, "--kafka", kafka, "--prefix", topic_prefix)
        assert code == 0, said
        assert "1 dead letters" in said
        code, said = await reading.cli("dlq", "redrive", WORKFLOW, "--kafka", kafka, "--prefix", topic_prefix)
        assert code == 0, said
        assert "1 sent again" in said
    finally:
        await reading.close()


async def test_it_says_so_where_nothing_answers(tmp_path: Path) -> None:
    port = free_port()
    nowhere = Assent(tmp_path, {"ASSENT_KAFKA_PARTITIONS": "many"})
    try:
        code, found = await _examined(
            nowhere,
            *("--service", f"workflow=http://127.0.0.1:{port}", "--issuer", f"http://127.0.0.1:{port}"),
            *("--database", f"workflow=postgresql://nobody:hunter2@127.0.0.1:{port}/nothing"),
        )
    finally:
        await nowhere.close()
    assert code == 1
    assert {at for at, each in found.items() if each["how"] == "wrong"} == {
        ("settings", "environment"),
        ("service", WORKFLOW),
        ("issuer", f"http://127.0.0.1:{port}"),
        ("postgres", WORKFLOW),
    }
    assert "ASSENT_KAFKA_PARTITIONS" in found["settings", "environment"]["says"]
    assert "hunter2" not in json.dumps(list(found.values()))


async def _examined(assent: Assent, *arguments: str) -> tuple[int, dict[tuple[str, str], dict[str, Any]]]:
    """Its exit code, and the worst that it said of each thing."""
    code, said = await assent.cli("doctor", "--json", *arguments)
    order = ["fine", "noted", "not known", "wrong"]
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for line in said.splitlines():
        each = json.loads(line)
        at = (each["check"], each["of"])
        if at not in found or order.index(each["how"]) > order.index(found[at]["how"]):
            found[at] = each
    return code, found


async def _keep_everything(settings: Settings, topic: str) -> None:
    admin = AIOKafkaAdminClient(**options(settings, "tests"))
    await admin.start()
    try:
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"cleanup.policy": "delete"})])
    finally:
        await close_admin(admin)


async def _leave_a_dead_letter(settings: Settings, topic: str) -> None:
    admin = AIOKafkaAdminClient(**options(settings, "tests"))
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 1, 1)])
    finally:
        await close_admin(admin)
    publisher = Publisher(settings, "tests")
    try:
        await publisher.publish([Message(topic, b"key", b"{", [("assent.error.topic", f"{topic}.came-from".encode())])])
    finally:
        await publisher.close()


async def _no_secret_came_to_light(
    assent: Assent, given: Iterable[str], databases: Mapping[str, str], said: str
) -> None:
    """In no log, event, audit record or answer: not what the services were given, not what callers showed them."""
    shown = [assent.token("legal"), assent.token("nobody-we-know") + "x", "canary-of-a-caller-" + secrets.token_hex(8)]
    answers = [said]
    for service in runner.SERVICES:
        for path in ("/metrics", "/health/ready", "/openapi.json", "/v1/audit", "/v1/sources", "/v1/nothing"):
            for token in shown:
                headers = {
                    "Authorization": f"Bearer {token}",
                    "Idempotency-Key": "one",
                    "Cookie": f"session={shown[2]}",
                }
                answer = await assent.request("GET", service, path, role=None, headers=headers)
                answers.append(f"{answer.headers} {answer.text}")
    kept = [text for url in databases.values() for text in await _kept(url)]
    logs = [file.read_text() for file in sorted((assent.state / "logs").iterdir())]
    assert len(logs) >= 4
    assert sum(log.count("\n") for log in logs) > 20
    assert len(kept) > 20
    passwords = {urlsplit(url).password for url in databases.values()} - {None, ""}
    for secret in [*given, *shown, *passwords]:
        for where, texts in {"a log": logs, "the database": kept, "an answer": answers}.items():
            assert not [text for text in texts if str(secret) in text], f"{secret} is in {where}"


async def _kept(url: str) -> list[str]:
    """What a service tells, and what it records."""
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch("select convert_from(body, 'UTF8') as text from outbox")
        rows += await connection.fetch("select row_to_json(a)::text as text from audit a")
        return [row["text"] for row in rows]
    finally:
        await connection.close()
