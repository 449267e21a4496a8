"""Kafka by TLS and SASL, with real certificates of a real authority: who is not let in says why, and loses nothing."""

import ast
import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from assent_common.clock import SystemClock
from assent_common.database import Database
from assent_common.health import Health, State
from assent_common.kafka.connection import BrokerUnavailable, ensure_topics
from assent_common.kafka.topics import REGISTRY
from assent_common.settings import Settings
from pydantic import SecretStr, ValidationError

from tests.common import world
from tests.support import certificates
from tests.support.plugin import SecuredKafka
from tests.support.wait import until

REPOSITORY = Path(__file__).parents[2]
SETTINGS = "ASSENT_KAFKA_SECURITY_PROTOCOL"


@pytest.fixture
def guarded(settings: Settings, secured_kafka: SecuredKafka) -> Settings:
    """The settings of who is let in."""
    return settings.model_copy(
        update={
            "kafka_bootstrap_servers": secured_kafka.guarded,
            "kafka_security_protocol": "SASL_SSL",
            "kafka_ssl_cafile": secured_kafka.authority,
            "kafka_sasl_mechanism": "SCRAM-SHA-512",
            "kafka_sasl_username": SecretStr(secured_kafka.user),
            "kafka_sasl_password": SecretStr(secured_kafka.password),
        }
    )


@pytest.fixture
def another_authority(tmp_path: Path) -> str:
    return str(certificates.authority(tmp_path).file)


@pytest.mark.parametrize("at", ["encrypted", "guarded", "mutual"])
async def test_what_is_told_over_tls_arrives(
    settings: Settings, guarded: Settings, secured_kafka: SecuredKafka, store: Database, at: str
) -> None:
    encrypted = guarded.model_copy(
        update={"kafka_bootstrap_servers": secured_kafka.encrypted, "kafka_security_protocol": "SSL"}
    )
    mutual = encrypted.model_copy(
        update={
            "kafka_bootstrap_servers": secured_kafka.mutual,
            "kafka_ssl_certfile": secured_kafka.certificate,
            "kafka_ssl_keyfile": secured_kafka.key,
        }
    )
    secure = {"encrypted": encrypted, "guarded": guarded, "mutual": mutual}[at]
    for number in range(20):
        await world.change(store, f"model-{number}")
    health = Health(SystemClock())
    relay, consumer = world.a_relay(secure, store, health), world.a_consumer(secure, store, health)
    async with world.running(relay.run, consumer.run):
        await until(lambda: _applied(store, 20), within_s=60)
    assert all(component.state is State.WORKING for component in health.components.values())
    assert len(await world.told(settings)) == 20


async def test_who_is_not_let_in_says_why_and_loses_nothing(
    settings: Settings, guarded: Settings, secured_kafka: SecuredKafka, store: Database, another_authority: str
) -> None:
    """One after the other, each with changes of its own; then the right settings."""
    refused: dict[str, tuple[Mapping[str, Any], list[str]]] = {
        "another authority": (
            {"kafka_ssl_cafile": another_authority},
            ["certificate that is not trusted", "unable to get local issuer", "ASSENT_KAFKA_SSL_CAFILE"],
        ),
        "another name": (
            {"kafka_bootstrap_servers": secured_kafka.guarded.replace("localhost", "127.0.0.1")},
            ["certificate that is not trusted", "127.0.0.1"],
        ),
        "a wrong password": (
            {"kafka_sasl_password": SecretStr("swordfish")},
            ["does not let us in", "invalid credentials", "ASSENT_KAFKA_SASL_PASSWORD"],
        ),
        "another mechanism": (
            {"kafka_sasl_mechanism": "PLAIN"},
            ["does not take PLAIN", "ASSENT_KAFKA_SASL_MECHANISM"],
        ),
        "plain at a port of TLS": (
            {"kafka_security_protocol": "PLAINTEXT"},
            ["listens to TLS alone", f"{SETTINGS}, which is PLAINTEXT"],
        ),
        "TLS at a plain port": (
            {"kafka_security_protocol": "SSL", "kafka_bootstrap_servers": secured_kafka.bootstrap_servers},
            ["speaks no TLS", f"{SETTINGS}, which is SSL"],
        ),
        "nobody, where one must log in": (
            {"kafka_security_protocol": "SSL"},
            ["does not log in first", f"{SETTINGS}, which is SSL"],
        ),
        "nobody, where one must show a certificate": (
            {"kafka_security_protocol": "SSL", "kafka_bootstrap_servers": secured_kafka.mutual},
            ["shows no certificate that it takes", "ASSENT_KAFKA_SSL_CERTFILE"],
        ),
        "somebody, where nobody logs in": (
            {"kafka_bootstrap_servers": secured_kafka.encrypted},
            ["asks nobody to log in", f"{SETTINGS}, which is SASL_SSL"],
        ),
    }
    for number, (how, (wrong, reasons)) in enumerate(refused.items()):
        await world.change(store, "churn")
        health = Health(SystemClock())
        secure = guarded.model_copy(update=wrong)
        relay, consumer = world.a_relay(secure, store, health), world.a_consumer(secure, store, health)
        async with world.running(relay.run, consumer.run):
            for component in ("kafka", f"kafka:{settings.kafka_topic_prefix}{world.GROUP}"):
                said = await until(partial(_fails, health, component), within_s=60) or ""
                assert [word for word in reasons if word not in said] == [], f"{how}: {said}"
                for secret in (secured_kafka.password, secured_kafka.user, "swordfish"):
                    assert secret not in said, how
        assert await world.unpublished(store) == number + 1, how
    assert await world.value(store, "select count(*) from applied") == 0

    health = Health(SystemClock())
    relay, consumer = world.a_relay(guarded, store, health), world.a_consumer(guarded, store, health)
    async with world.running(relay.run, consumer.run):
        await until(lambda: _applied(store, 1), within_s=60)
        await until(lambda: _is_published(store), within_s=60)
    said_of = world.by_key(await world.told(settings))
    assert world.without_repetitions(said_of["churn"]) == list(range(1, len(refused) + 1))


async def test_a_broker_that_is_away_is_told_from_one_that_lets_nobody_in(settings: Settings) -> None:
    away = settings.model_copy(update={"kafka_bootstrap_servers": "127.0.0.1:1"})
    with pytest.raises(BrokerUnavailable, match=r"127\.0\.0\.1:1 refuses connections"):
        await ensure_topics(away, [REGISTRY])


async def test_authorities_that_went_are_named(guarded: Settings, tmp_path: Path) -> None:
    gone = guarded.model_copy(update={"kafka_ssl_cafile": str(tmp_path / "gone.pem")})
    with pytest.raises(BrokerUnavailable, match="ASSENT_KAFKA_SSL_CAFILE"):
        await ensure_topics(gone, [REGISTRY])


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"kafka_security_protocol": "TLS"}, "kafka_security_protocol"),
        ({"kafka_sasl_mechanism": "GSSAPI"}, "kafka_sasl_mechanism"),
        ({"kafka_ssl_cafile": "/nowhere/ca.pem"}, "kafka_ssl_cafile"),
        ({"kafka_ssl_cafile": __file__}, "kafka_ssl_cafile"),
        ({"kafka_ssl_certfile": __file__}, "kafka_ssl_certfile"),
        ({"kafka_security_protocol": "SASL_SSL", "kafka_sasl_password": "swordfish"}, "kafka_sasl_username"),
        ({"kafka_security_protocol": "SASL_SSL", "kafka_sasl_username": "swordfish"}, "kafka_sasl_password"),
    ],
)
def test_settings_that_cannot_work_do_not_start(given: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(database_url=SecretStr("postgresql://unused"), **given)
    assert [str(each["loc"][0]) for each in refused.value.errors()] == [named]
    assert "swordfish" not in str(refused.value)


def test_neither_user_nor_password_is_shown(guarded: Settings, secured_kafka: SecuredKafka) -> None:
    shown = f"{guarded!r} {guarded} {json.dumps(guarded.model_dump(mode='json'))}"
    assert secured_kafka.password not in shown
    assert secured_kafka.user not in shown


def test_no_client_is_made_without_the_settings_of_security() -> None:
    """Each place that makes one, in all that is shipped, takes `options(…)`."""
    made, bare = 0, []
    for folder in ("libs", "services", "deploy"):
        for file in (REPOSITORY / folder).rglob("src/**/*.py"):
            text = file.read_text()
            calls = (
                [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)] if "AIOKafka" in text else []
            )
            for call in calls:
                if not isinstance(call.func, ast.Name) or not call.func.id.startswith("AIOKafka"):
                    continue
                made += 1
                spread = [ast.unparse(each.value) for each in call.keywords if each.arg is None]
                if not any(each.startswith("options(") or each == "given" for each in spread):
                    bare.append(f"{file}:{call.lineno}")
    assert made > 10
    assert bare == []


async def _applied(store: Database, count: int) -> bool:
    return await world.value(store, "select count(*) from applied") == count


async def _is_published(store: Database) -> bool:
    return await world.unpublished(store) == 0


def _fails(health: Health, name: str) -> str | None:
    component = health.components[name]
    return component.detail if component.state is State.FAILING else None
