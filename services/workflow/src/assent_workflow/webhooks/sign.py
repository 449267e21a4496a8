"""Standard Webhooks: secrets and signatures; and the secrets at rest, sealed with the operator's key."""

import base64
import hashlib
import hmac
import os
from collections.abc import Sequence
from uuid import UUID

from cryptography.exceptions import InvalidTag
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
    """Keeps secrets so that the database alone does not tell them; each for its webhook only.

    What a key beside its own sealed it opens as well, so that one can take the other's place.
    """

    def __init__(self, key: str, beside: str | None = None) -> None:
        """32 bytes in hex each."""
        self._cipher = AESGCM(bytes.fromhex(key))
        self._beside = AESGCM(bytes.fromhex(beside)) if beside is not None else None

    def seal(self, secret: str, webhook: UUID) -> bytes:
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, secret.encode(), webhook.bytes)

    def open(self, sealed: bytes, webhook: UUID) -> str:
        """Raises cryptography's InvalidTag where it was sealed by another key, or for another webhook."""
        try:
            return _opened(self._cipher, sealed, webhook)
        except InvalidTag:
            if self._beside is None:
                raise
            return _opened(self._beside, sealed, webhook)

    def anew(self, sealed: bytes, webhook: UUID) -> bytes:
        """The same by its own key, and unchanged where that sealed it. Raises InvalidTag as above."""
        try:
            _opened(self._cipher, sealed, webhook)
        except InvalidTag:
            return self.seal(self.open(sealed, webhook), webhook)
        return sealed


def _opened(cipher: AESGCM, sealed: bytes, webhook: UUID) -> str:
    return cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], webhook.bytes).decode()
