"""Mail goes to the server that was meant, unread by others, under the name that was given; or it waits and says why."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from assent_workflow.notifications import duties

from tests.support import certificates
from tests.support.certificates import Authority, Files
from tests.support.smtp import Mailbox, a_mailbox
from tests.workflow.notified import Notified, settings_for
from tests.workflow.one_look import one_look

PASSWORD = "s3cret: @/"
QUOTED = "s3cret%3A%20%40%2F"


@dataclass
class Sending:
    """One mail that waits, and a server's certificate for `localhost` by an authority of our own."""

    notified: Notified
    database_url: str
    authority: Authority
    files: Files

    async def tried(self, mailbox: Mailbox, url: str, *, known: bool = True) -> dict[str, Any]:
        """How it stands after one more try. `known`: whether the settings name the authority."""
        await self.notified.make_due()
        cafile = str(self.authority.file) if known else None
        url = url.replace("PORT", str(mailbox.port))
        settings = settings_for(
            self.database_url, mailbox, self.notified.chat, smtp_url=url, mail_from=None, outgoing_cafile=cafile
        )
        await one_look(duties.mails(self.notified.world.database, settings).run)
        [row] = await self.notified.log()
        return row


@pytest.fixture
async def sending(notified: Notified, database_url: str, tmp_path: Path) -> Sending:
    await notified.reach("legal", "lucia@example.com", kind="role")
    await notified.world.put_forward()
    await notified.written()
    authority = certificates.authority(tmp_path)
    return Sending(notified, database_url, authority, certificates.of("localhost", authority, tmp_path))


async def test_mail_goes_over_to_tls_with_a_certificate_of_the_name_or_it_does_not_go(sending: Sending) -> None:
    async with a_mailbox() as plain, a_mailbox(sending.files) as secure:
        assert "STARTTLS" in (await sending.tried(plain, "smtp://localhost:PORT"))["last_error"]
        assert (await sending.tried(secure, "smtp://localhost:PORT", known=False))["last_error"] is not None
        assert (await sending.tried(secure, "smtp://127.0.0.1:PORT"))["last_error"] is not None
        assert plain.got == secure.got == []
        assert (await sending.tried(secure, "smtp://localhost:PORT"))["status"] == "delivered"
        assert secure.secured == [True]


async def test_smtps_speaks_tls_from_the_start_to_a_server_of_the_name_or_says_nothing(sending: Sending) -> None:
    async with a_mailbox(sending.files, from_the_start=True) as secure:
        for url, known in (("smtps://localhost:PORT", False), ("smtps://127.0.0.1:PORT", True)):
            row = await sending.tried(secure, url, known=known)
            assert (row["status"], row["last_error"] is not None) == ("waiting", True), url
        assert secure.got == []
        assert (await sending.tried(secure, "smtps://localhost:PORT"))["status"] == "delivered"
        assert secure.secured == [True]


@pytest.mark.parametrize("ways", [("PLAIN", "LOGIN"), ("LOGIN",)], ids=["plain", "login"])
@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
async def test_the_server_is_told_who_sends_once_nobody_else_can_read_it(
    sending: Sending, scheme: str, ways: tuple[str, ...]
) -> None:
    async with a_mailbox(sending.files, from_the_start=scheme == "smtps") as mailbox:
        mailbox.password_of, mailbox.ways = {"bo@example.com": PASSWORD}, ways
        row = await sending.tried(mailbox, f"{scheme}://bo%40example.com:{QUOTED}@localhost:PORT")
        assert (row["status"], mailbox.logins) == ("delivered", [(ways[0], "bo@example.com")])
        # Whose name is an address sends from it, where nothing else is set.
        assert mailbox.got[0]["From"] == "bo@example.com"
        assert mailbox.secured == [True]


async def test_a_wrong_password_is_our_fault_not_the_mail_s_and_is_nowhere_repeated(sending: Sending) -> None:
    async with a_mailbox(sending.files) as mailbox:
        mailbox.password_of = {"bo": PASSWORD}
        row = await sending.tried(mailbox, "smtp://bo:wr0ng@localhost:PORT")
        # Though the server repeats it.
        assert (row["status"], row["last_status"]) == ("waiting", 535)
        assert "wr0ng" not in str(row)
        # No name is given, and one is asked for.
        row = await sending.tried(mailbox, "smtp://localhost:PORT")
        assert (row["status"], row["last_status"]) == ("waiting", 530)
        assert mailbox.got == []
        assert (await sending.tried(mailbox, f"smtp://bo:{QUOTED}@localhost:PORT"))["status"] == "delivered"


async def test_who_is_to_log_in_where_nobody_can_sends_nothing(sending: Sending) -> None:
    async with a_mailbox(sending.files) as mailbox:
        row = await sending.tried(mailbox, f"smtp://bo:{QUOTED}@localhost:PORT")
        assert (row["status"], mailbox.got, mailbox.logins) == ("waiting", [], [])
        assert row["last_error"]
