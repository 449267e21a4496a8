"""No secret is in a line of the log, in whatever words it comes."""

import json
import subprocess
import sys
from typing import Any

import pytest
from assent_common.masking import MASK, Mask, secrets_of
from assent_common.settings import Settings
from pydantic import SecretStr

JWT = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJlLW9mLWl0"

TOLD: dict[str, Any] = {
    "database_url": "postgresql://catalog:sw%40rdfish-1@db/catalog",
    "database_owner_url": "postgresql://owner:swordfish-2@db/catalog",
    "kafka_security_protocol": "SASL_SSL",
    "kafka_sasl_username": "assent-workflow",
    "kafka_sasl_password": 'sword"fish\\3',
    "service_token": "swordfish-4ü",
    "signing_key": "ab" * 32,
}
SECRETS = list(secrets_of(Settings.model_validate(TOLD)))


@pytest.mark.parametrize(
    "secret",
    [
        *("sw%40rdfish-1", "sw@rdfish-1", "swordfish-2", 'sword"fish\\3', "swordfish-4ü", "ab" * 32),
        "postgresql+asyncpg://owner:swordfish-2@db/catalog",
    ],
)
def test_what_the_settings_hold_is_hidden_in_any_text(secret: str) -> None:
    line = json.dumps({"event": "x", "reason": f"of another system: '{secret}', again {secret}"}, ensure_ascii=False)
    masked = Mask(SECRETS).over(line)
    assert json.loads(masked) == {"event": "x", "reason": f"of another system: '{MASK}', again {MASK}"}


@pytest.mark.parametrize(
    ("said", "left"),
    [
        (f"not taken: {JWT}!", f"not taken: {MASK}!"),
        ("Authorization: Bearer abcdefgh12345", f"Authorization: Bearer {MASK}"),
        ("authorization: basic YWRhOnNlY3JldA==", f"authorization: basic {MASK}"),
        ("smtp://bo:hunter22@mail.example", f"smtp://bo:{MASK}@mail.example"),
        ("its secret is whsec_c3dvcmRmaXNo+/=", f"its secret is {MASK}"),
        (
            "https://b.s3.amazonaws.com/k?X-Amz-Credential=AKIA/1&X-Amz-Signature=0f0f&X-Amz-Date=1",
            f"https://b.s3.amazonaws.com/k?X-Amz-Credential={MASK}&X-Amz-Signature={MASK}&X-Amz-Date=1",
        ),
    ],
)
def test_what_looks_like_one_is_hidden_though_nobody_told_it(said: str, left: str) -> None:
    assert json.loads(Mask().over(json.dumps({"reason": said}))) == {"reason": left}


@pytest.mark.parametrize(
    "said",
    [
        "arn:aws:sagemaker:eu-central-1:123456789012:model-package/churn/3",
        "https://issuer.example/realms/a of ada@example.com",
        "send `Authorization: Bearer …`",
        "b-1:9096 does not let assent-workflow in",
        "a basic understanding of a bearer authentication",
    ],
)
def test_what_is_none_stays(said: str) -> None:
    line = json.dumps({"reason": said}, ensure_ascii=False)
    assert Mask(SECRETS).over(line) == line


def test_what_is_short_enough_to_be_a_word_is_not_looked_for() -> None:
    assert list(secrets_of(Settings(database_url=SecretStr("postgresql://db"))))
    assert Mask(["a", "assent"]).over('{"service": "assent"}') == '{"service": "assent"}'


def test_a_line_of_a_service_has_none_whoever_wrote_it() -> None:
    """Ours, a library's, and a stack that ends in the words of a driver."""
    program = f"""
import logging
from assent_common import telemetry
telemetry.configure("tests", secrets=["swordfish"])
telemetry.logger().warning("ours", reason="not swordfish", swordfish="as a name")
logging.getLogger("a.library").warning("password swordfish refused, %s", {JWT!r})
try:
    raise ValueError("swordfish in a stack")
except ValueError as error:
    telemetry.logger().error("failed", exc_info=error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["event"] for line in lines] == ["ours", f"password {MASK} refused, {MASK}", "failed"]
    assert f"ValueError: {MASK} in a stack" in lines[2]["exception"]
    assert "swordfish" not in done.stderr
