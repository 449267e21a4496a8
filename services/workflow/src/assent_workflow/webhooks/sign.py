"""Standard Webhooks: secrets and signatures; and the secrets at rest, sealed with the operator's key."""

import base64
import hashlib
import hmac
import os
from collections.abc import Sequence
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PREFIX = "whsec_"
_NONCE = 12


def new_secret() -> str:
    return PREFIX + base64.b64encode(os.urandom(32)).decode()


def signatures(secrets: Sequence[str], *, id_: str, timestamp: int, body: bytes) -> str:
    """One for each secret, so that a receiver that knows one of them is content."""
    signed = f"{id_}.{timestamp}.".encode() + body
    return " ".join(f"v1,{_signature(secret, signed)}" for secret in secrets)


def _signature(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX))
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


class Sealer:
    """Keeps secrets so that the database alone does not tell them; each for its webhook only."""

    def __init__(self, key: str) -> None:
        """32 bytes in hex."""
        self._cipher = AESGCM(bytes.fromhex(key))

    def seal(self, secret: str, webhook: UUID) -> bytes:
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, secret.encode(), webhook.bytes)

    def open(self, sealed: bytes, webhook: UUID) -> str:
        """Raises cryptography's InvalidTag where it was sealed by another key, or for another webhook."""
        return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], webhook.bytes).decode()
