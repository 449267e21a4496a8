"""An SMTP server that answers as it is told, and keeps what it was sent. With TLS from the start or by STARTTLS."""

import asyncio
import ssl
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable
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
    #: Who may send, by a password; everybody, where absent. Asked for only over TLS, by the ways that are offered.
    password_of: dict[str, str] | None = None
    ways: tuple[str, ...] = ("PLAIN", "LOGIN")
    logins: list[tuple[str, str]] = field(default_factory=list)
    _free: asyncio.Event = field(default_factory=asyncio.Event)

    def hold(self) -> None:
        """Take what comes, and answer nothing once it is sent, until let go."""
        self._free.clear()

    def let_go(self) -> None:
        self._free.set()

    def ids(self) -> list[str]:
        return [str(message["Message-ID"]) for message in self.got]

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, trust: ssl.SSLContext | None, secured: bool
    ) -> None:
        self.connections += 1
        try:
            await self._talk(reader, writer, trust, secured)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            writer.close()

    async def _talk(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, trust: ssl.SSLContext | None, secured: bool
    ) -> None:
        async def say(line: str) -> None:
            writer.write(f"{line}\r\n".encode())
            await writer.drain()

        known = self.password_of is None
        await say("220 tests")
        while line := (await reader.readline()).decode().strip():
            match line.split()[0].upper():
                case "EHLO":
                    await say("250-tests")
                    if trust is not None and not secured:
                        await say("250-STARTTLS")
                    if self.password_of is not None and secured:
                        await say(f"250-AUTH {' '.join(self.ways)}")
                    await say("250 SIZE 10000000")
                case "STARTTLS" if trust is not None:
                    await say("220 go ahead")
                    await writer.start_tls(trust)
                    secured = True
                case "AUTH" if secured and self.password_of is not None:
                    user, password = await self._credentials(line, reader, say)
                    known = self.password_of.get(user) == password
                    await say("235 welcome" if known else f"535 5.7.8 not {password}")
                case "MAIL" if not known:
                    await say("530 5.7.0 who are you")
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

    async def _credentials(
        self, line: str, reader: asyncio.StreamReader, say: Callable[[str], Awaitable[None]]
    ) -> tuple[str, str]:
        """By PLAIN (RFC 4616), all in the first line; or by LOGIN, the name in the first or asked for."""
        way, *given = line.split()[1:]
        if way == "PLAIN":
            _, name, secret = b64decode(given[0]).split(b"\0")
        else:
            if not given:
                await say("334 VXNlcm5hbWU6")
            name = b64decode(given[0] if given else await reader.readline())
            await say("334 UGFzc3dvcmQ6")
            secret = b64decode(await reader.readline())
        self.logins.append((way, name.decode()))
        return name.decode(), secret.decode()

    def _keep(self, sent: bytes, secured: bool) -> None:
        self.raw.append(sent)
        message = message_from_bytes(sent.removesuffix(b".\r\n").replace(b"\r\n..", b"\r\n."), policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.got.append(message)
        self.secured.append(secured)


@asynccontextmanager
async def a_mailbox(files: Files | None = None, *, from_the_start: bool = False) -> AsyncIterator[Mailbox]:
    """With STARTTLS where there are files, or with TLS from the start."""
    mailbox = Mailbox()
    mailbox.let_go()
    trust = None
    if files is not None:
        trust = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        trust.load_cert_chain(files.certificate, files.key)
    offered = None if from_the_start else trust
    server = await asyncio.start_server(
        lambda reader, writer: mailbox.serve(reader, writer, offered, from_the_start),
        *("127.0.0.1", 0),
        ssl=trust if from_the_start else None,
    )
    mailbox.port = server.sockets[0].getsockname()[1]
    try:
        yield mailbox
    finally:
        mailbox.let_go()
        server.close()
        await server.wait_closed()
