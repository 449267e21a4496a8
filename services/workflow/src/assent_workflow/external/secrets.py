"""What an external check is signed with: made of the operator's key and the address, so that nothing is kept."""

import base64
import hashlib
import hmac

from assent_workflow.webhooks.sign import PREFIX


class Secrets:
    def __init__(self, key: str) -> None:
        """32 bytes in hex."""
        self._key = bytes.fromhex(key)

    def of(self, url: str) -> str:
        """Of this very address: another query, `?secret=2`, is another secret, which is how one is changed."""
        made = hmac.new(self._key, b"assent external check\0" + url.encode(), hashlib.sha256).digest()
        return PREFIX + base64.b64encode(made).decode()
