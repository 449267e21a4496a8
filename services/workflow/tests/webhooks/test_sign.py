"""Signatures are what the Standard Webhooks library takes, and secrets at rest tell nothing."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from assent_common.clock import SystemClock
from assent_workflow.webhooks.sign import Sealer, new_secret, signatures
from cryptography.exceptions import InvalidTag
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

BODY = '{"type": "assent.governance.task.changed.v1", "data": "für"}'.encode()
ONE, OTHER = UUID(int=1), UUID(int=2)


def headers(secrets: list[str], at: datetime | None = None) -> dict[str, str]:
    timestamp = int((at or SystemClock().now()).timestamp())
    signed = signatures(secrets, id_="msg_1", timestamp=timestamp, body=BODY)
    return {"webhook-id": "msg_1", "webhook-timestamp": str(timestamp), "webhook-signature": signed}


def test_a_receiver_with_the_old_or_the_new_secret_takes_what_is_signed_with_both() -> None:
    old, new = new_secret(), new_secret()
    for secret in (old, new):
        assert Webhook(secret).verify(BODY.decode(), headers([new, old]))["data"] == "für"
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(BODY.decode(), headers([new, old]))


def test_what_was_changed_on_the_way_or_is_too_old_is_not_taken() -> None:
    secret = new_secret()
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY.decode() + " ", headers([secret]))
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY.decode(), headers([secret], datetime(2026, 1, 1, tzinfo=UTC)))


def test_a_sealed_secret_opens_with_its_key_for_its_webhook_only() -> None:
    sealer, secret = Sealer("ab" * 32), new_secret()
    sealed = sealer.seal(secret, ONE)
    assert secret.encode() not in sealed
    assert sealed != sealer.seal(secret, ONE)
    assert sealer.open(sealed, ONE) == secret
    with pytest.raises(InvalidTag):
        sealer.open(sealed, OTHER)
    with pytest.raises(InvalidTag):
        Sealer("cd" * 32).open(sealed, ONE)


def test_one_key_takes_anothers_place_by_standing_beside_it() -> None:
    secret, before = new_secret(), Sealer("ab" * 32)
    sealed = before.seal(secret, ONE)
    both = Sealer("cd" * 32, "ab" * 32)
    assert both.open(sealed, ONE) == secret
    with pytest.raises(InvalidTag):
        both.open(sealed, OTHER)
    anew = both.anew(sealed, ONE)
    assert Sealer("cd" * 32).open(anew, ONE) == secret
    assert both.anew(anew, ONE) == anew
    # Who has the new one beside the old already opens what others sealed anew.
    assert Sealer("ab" * 32, "cd" * 32).open(anew, ONE) == secret
    with pytest.raises(InvalidTag):
        Sealer("ef" * 32, "cd" * 32).anew(sealed, ONE)
