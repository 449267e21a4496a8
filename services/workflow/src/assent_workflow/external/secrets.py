"""What an external check is signed with: made of the operator's key and the address, so that nothing is kept."""

import base64
import hashlib
import hmac

from assent_workflow.webhooks.sign import PREFIX


class Secrets:
    def __init__(self, key: str, beside: str | None = None) -> None:
        """32 bytes in hex each."""
        self._key = bytes.fromhex(key)
        self._beside = bytes.fromhex(beside) if beside is not None else None

    def of(self, url: str) -> str:
        """Of this very address: another query, `?secret=2`, is another secret, which is how one is changed."""
        return _of(self._key, url)

    def all_of(self, url: str) -> list[str]:
        """And, while a key takes another's place, that of the other, for who has it still or already."""
        return [_of(key, url) for key in (self._key, self._beside) if key is not None]


def _of(key: bytes, url: str) -> str:
    made = hmac.new(key, b"assent external check\0" + url.encode(), hashlib.sha256).digest()
    return PREFIX + base64.b64encode(made).decode()
