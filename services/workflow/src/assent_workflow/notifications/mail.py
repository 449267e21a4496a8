"""A notification as a mail, and the mail on its way. Nothing of ours knows how to speak SMTP: aiosmtplib does."""

import asyncio
import html
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import aiosmtplib

from assent_workflow.notifications.words import plain
from assent_workflow.outgoing.outcome import Outcome

DEADLINE_S = 30.0
#: Of us, not of this mail: who we are was not said, or not as it is wanted (RFC 4954 §6). Somebody will see to it.
OF_US = frozenset({530, 534, 535, 538})
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Server:
    """Where mail is handed in: `smtps://` speaks TLS from the start, `smtp://` goes over to it, or sends nothing."""

    host: str
    port: int
    tls: bool
    #: Only where the URL says `?starttls=off`.
    in_clear: bool
    sender: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, url: str, sender: str | None) -> "Server":
        """Raises ValueError, which does not repeat the URL."""
        parts = urlsplit(url)
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise ValueError("must be smtp://user:password@host:port or smtps://…")
        tls, user = parts.scheme == "smtps", unquote(parts.username) if parts.username else None
        own = user if user and "@" in user else f"assent@{parts.hostname}"
        return cls(
            host=parts.hostname,
            port=parts.port or (465 if tls else 587),
            tls=tls,
            in_clear=not tls and parse_qs(parts.query).get("starttls") == ["off"],
            sender=sender or own,
            user=user,
            password=unquote(parts.password) if parts.password else None,
        )


class Post:
    """Hands in one mail after the other, each over a connection of its own."""

    def __init__(self, server: Server, trust: ssl.SSLContext) -> None:
        self._server = server
        self._trust = trust

    async def send(self, row: Row) -> Outcome:
        """Within half a minute. What was taken just before a connection broke may come again, as the same message."""
        server = self._server
        try:
            async with asyncio.timeout(DEADLINE_S):
                await aiosmtplib.send(
                    message(row, server.sender),
                    sender=server.sender,
                    recipients=[row["address"]],
                    hostname=server.host,
                    port=server.port,
                    username=server.user,
                    password=server.password,
                    use_tls=server.tls,
                    start_tls=not (server.tls or server.in_clear),
                    tls_context=None if server.in_clear else self._trust,
                    timeout=DEADLINE_S,
                )
        except aiosmtplib.SMTPRecipientsRefused as error:
            [refused, *_] = error.recipients
            return _refused(refused.code, refused.message)
        except aiosmtplib.SMTPAuthenticationError as error:
            # Not in the server's words: some repeat what they were told.
            return Outcome(
                error.code, f"the mail server answered {error.code} to the name and password of the settings"
            )
        except aiosmtplib.SMTPHeloError as error:
            return Outcome(error.code, _said(error.code, error.message))
        except aiosmtplib.SMTPResponseException as error:
            return _refused(error.code, error.message)
        except (OSError, TimeoutError) as error:
            # Among them aiosmtplib's own of a connection that broke.
            return Outcome(error=type(error).__name__)
        except aiosmtplib.SMTPException as error:
            # Said by ourselves: that it does not offer STARTTLS, or to log in.
            return Outcome(error=plain(str(error), 200))
        return Outcome(250)


def message(row: Row, sender: str) -> EmailMessage:
    """The same row is the same message, to the byte: a mail system may know one by its id that it has seen."""
    domain = sender.rpartition("@")[2]
    made = EmailMessage(policy=SMTP)
    made["From"] = sender
    made["To"] = row["address"]
    made["Subject"] = plain(row["subject"])
    made["Date"] = format_datetime(row["created_at"])
    made["Message-ID"] = f"<{row['id']}@{domain}>"
    # One conversation for each candidacy.
    made["In-Reply-To"] = made["References"] = f"<{row['thread']}@{domain}>"
    # No answer by machine, RFC 3834.
    made["Auto-Submitted"] = "auto-generated"
    made["X-Auto-Response-Suppress"] = "All"
    made.set_content(as_text(row))
    made.add_alternative(as_html(row), subtype="html")
    made.set_boundary(f"=_{row['id']}")
    return made


def as_text(row: Row) -> str:
    lines = [row["text"]]
    for section in row["sections"]:
        lines += ["", f"{section['title']}:", ""]
        for item in section["items"]:
            lines += [f"* {item['said']}", *([f"  {item['link']}"] if item["link"] else [])]
    if row["link"]:
        lines += ["", row["link"]]
    return "\n".join([*lines, ""])


def as_html(row: Row) -> str:
    parts = [f"<p>{html.escape(line)}</p>" for line in row["text"].split("\n") if line]
    for section in row["sections"]:
        items = "".join(f"<li>{_linked(item['said'], item['link'])}</li>" for item in section["items"])
        parts.append(f"<h3>{html.escape(section['title'])}</h3><ul>{items}</ul>")
    if row["link"]:
        parts.append(f"<p>{_linked('Open it in Assent', row['link'])}</p>")
    return f'<!doctype html><html lang="en"><body>{"".join(parts)}</body></html>\n'


def _linked(said: str, link: str | None) -> str:
    return f'<a href="{html.escape(link)}">{html.escape(said)}</a>' if link else html.escape(said)


def _refused(code: int, said: str) -> Outcome:
    """4yz is for now, 5yz for good (RFC 5321 §4.2.1)."""
    return Outcome(code, _said(code, said), final=500 <= code < 600 and code not in OF_US)


def _said(code: int, said: str) -> str:
    return f"the mail server answered {code}: {plain(said, 200)}"
