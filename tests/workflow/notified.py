"""A workflow that tells people what happens, and what they were told."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from assent_workflow.notifications import duties
from assent_workflow.notifications.write import Writer
from assent_workflow.outgoing.worker import Worker
from assent_workflow.settings import Settings

from tests.support.receiver import Receiver, a_receiver
from tests.support.smtp import Mailbox, a_mailbox
from tests.workflow.one_look import NOTIFICATIONS, looks
from tests.workflow.world import World


@dataclass
class Notified:
    """A world whose workflow tells people, by real servers."""

    world: World
    settings: Settings
    mailbox: Mailbox
    chat: Receiver
    writer: Writer
    mails: Worker
    chats: Worker

    async def published(self) -> None:
        """All that happened so far is on Kafka, as far as anybody here can tell."""
        async with self.world.database.connection() as connection:
            await connection.execute(
                """
                with fresh as (select id, row_number() over (order by id) as n from outbox where position is null),
                     base as (select value from outbox_position)
                update outbox o set position = base.value + fresh.n, published_at = now()
                  from fresh, base where fresh.id = o.id
                """
            )
            await connection.execute(
                "update outbox_position set value = coalesce((select max(position) from outbox), 0)"
            )

    async def written(self) -> list[dict[str, Any]]:
        """All notifications, the newest first."""
        await self.published()
        while await self.writer.once():
            pass
        return await self.log()

    async def told(self) -> None:
        await self.written()
        await self.sent()

    async def sent(self) -> None:
        await looks(self.world.database, NOTIFICATIONS, [self.mails.run, self.chats.run])

    async def log(self, **selection: str) -> list[dict[str, Any]]:
        answer = await self.world.ask("GET", "/v1/notifications", by="root", role="admin", params=selection)
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    async def reach(self, name: str, *emails: str, kind: str = "person") -> None:
        body = {"kind": kind, "name": name, "emails": list(emails)}
        answer = await self.world.ask("PUT", "/v1/contacts", by="root", role="admin", json=body)
        assert answer.status_code == 200, answer.text

    async def rules(self, text: str) -> None:
        body = {"text": text}
        answer = await self.world.ask("POST", "/v1/notification-rules", by="root", role="admin", json=body)
        assert answer.status_code == 201, answer.text

    async def make_due(self) -> None:
        async with self.world.database.connection() as connection:
            await connection.execute("update notifications set next_try_at = now() where status = 'waiting'")


def settings_for(url: str, mailbox: Mailbox, chat: Receiver, **more: Any) -> Settings:
    given: dict[str, Any] = {
        "database_url": url,
        "smtp_url": f"smtp://127.0.0.1:{mailbox.port}?starttls=off",
        "mail_from": "assent@example.com",
        "public_url": "https://assent.example.com/workflow",
        "webhook_networks": "127.0.0.0/8",
        "slack_channels": {"governance": chat.url},
    }
    return Settings(**(given | more))


@asynccontextmanager
async def one_that_notifies(world: World, database_url: str) -> AsyncIterator[Notified]:
    async with a_mailbox() as mailbox, a_receiver() as chat:
        settings = settings_for(database_url, mailbox, chat)
        yield Notified(
            world,
            settings,
            mailbox,
            chat,
            Writer(world.database, settings.reach),
            duties.mails(world.database, settings),
            duties.chats(world.database, settings),
        )
