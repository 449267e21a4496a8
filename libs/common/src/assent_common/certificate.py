"""The certificate that a service shows to whoever speaks TLS with it: read anew when its files change."""

import asyncio
import ssl
from pathlib import Path

from assent_common import telemetry
from assent_common.supervise import pause

LOOK_EVERY_S = 30.0
#: Of TLS 1.2; 1.3 has no others. Forward secrecy, and no cipher that is authenticated by something beside it.
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"


class Certificate:
    """A certificate with its chain, and its key, which may be in the same file."""

    def __init__(self, certfile: str, keyfile: str | None = None) -> None:
        """Raises OSError, of which `ssl.SSLError` is one, for files that cannot be shown."""
        self._certfile = certfile
        self._keyfile = keyfile
        self._read_at = self._changed_at()
        self.context = self._context()

    async def run(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            await pause(stopping, LOOK_EVERY_S)
            self.look()

    def look(self) -> None:
        """Whoever connects from now on is shown what the files have now. Where that cannot be shown, as while one of
        the two is there and the other is not yet, the one before is, and they are looked at again the next time."""
        try:
            changed_at = self._changed_at()
            if changed_at == self._read_at:
                return
            # Apart, first: what fails half way would leave a certificate with another one's key.
            self._context()
            self.context.load_cert_chain(self._certfile, self._keyfile)
        except OSError as error:
            telemetry.logger().warning("certificate_not_read", reason=repr(error))
        else:
            self._read_at = changed_at
            telemetry.logger().info("certificate_read")

    def _changed_at(self) -> list[int]:
        return [Path(file).stat().st_mtime_ns for file in (self._certfile, self._keyfile) if file is not None]

    def _context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(CIPHERS)
        # A key with a passphrase would have it asked for on the terminal.
        context.load_cert_chain(self._certfile, self._keyfile, password="")
        return context
