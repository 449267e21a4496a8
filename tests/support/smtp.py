"""A real SMTP server that answers as it is told, and keeps what it was sent."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

from tests.support.certificates import Files


@dataclass
class Mailbox:
    port: int = 0
    #: Before DATA is begun, and once it is sent: taken in this order, `250` where none is left.
    to_recipient: list[str] = field(default_factory=list)
    to_message: list[str] = field(default_factory=list)
    got: list[EmailMessage] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    #: Whether each was sent over TLS.
    secured: list[bool] = field(default_factory=list)
    connections: int = 0
    _free: asyncio.Event = field(default_factory=asyncio.Event)

    def hold(self) -> None:
        """Take what comes, and answer nothing once it is sent, until let go."""
        self._free.clear()

    def let_go(self) -> None:
        self._free.set()

    def ids(self) -> list[str]:
        return [str(message["Message-ID"]) for message in self.got]

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, trust: ssl.SSLContext | None
    ) -> None:
        self.connections += 1
        try:
            await self._talk(reader, writer, trust)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            writer.close()

    async def _talk(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, trust: ssl.SSLContext | None
    ) -> None:
        async def say(line: str) -> None:
            writer.write(f"{line}\r\n".encode())
            await writer.drain()

        secured = False
        await say("220 tests")
        while line := (await reader.readline()).decode().strip():
            match line.split()[0].upper():
                case "EHLO":
                    await say("250-tests")
                    if trust is not None and not secured:
                        await say("250-STARTTLS")
                    await say("250 SIZE 10000000")
                case "STARTTLS" if trust is not None:
                    await say("220 go ahead")
                    await writer.start_tls(trust)
                    secured = True
                case "RCPT":
                    self.recipients.append(line.partition(":")[2].split(">")[0].strip("<> "))
                    await say(self.to_recipient.pop(0) if self.to_recipient else "250 ok")
                case "DATA":
                    await say("354 go ahead")
                    self._keep(await reader.readuntil(b"\r\n.\r\n"), secured)
                    await self._free.wait()
                    await say(self.to_message.pop(0) if self.to_message else "250 taken")
                case "MAIL" | "RSET" | "NOOP":
                    await say("250 ok")
                case "QUIT":
                    await say("221 bye")
                    return
                case _:
                    await say("502 not known")

    def _keep(self, sent: bytes, secured: bool) -> None:
        self.raw.append(sent)
        message = message_from_bytes(sent.removesuffix(b".\r\n").replace(b"\r\n..", b"\r\n."), policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.got.append(message)
        self.secured.append(secured)


@asynccontextmanager
async def a_mailbox(files: Files | None = None) -> AsyncIterator[Mailbox]:
    """With STARTTLS where there are files."""
    mailbox = Mailbox()
    mailbox.let_go()
    trust = None
    if files is not None:
        trust = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        trust.load_cert_chain(files.certificate, files.key)
    server = await asyncio.start_server(lambda reader, writer: mailbox.serve(reader, writer, trust), "127.0.0.1", 0)
    mailbox.port = server.sockets[0].getsockname()[1]
    try:
        yield mailbox
    finally:
        mailbox.let_go()
        server.close()
        await server.wait_closed()
