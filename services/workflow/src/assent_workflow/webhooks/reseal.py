"""Seal anew what was sealed by the key beside: then that can be taken away."""

import asyncio

from assent_common import telemetry
from assent_common.database import Database
from assent_common.supervise import pause
from cryptography.exceptions import InvalidTag

from assent_workflow.webhooks.sign import Sealer

LOCK = "select id, secret, old_secret from webhooks order by id for update"
WRITE = """
update webhooks w set secret = e.secret, old_secret = e.old_secret
  from unnest($1::uuid[], $2::bytea[], $3::bytea[]) as e(id, secret, old_secret) where w.id = e.id
"""
EVERY_S = 600.0


class Resealing:
    """The duty that does so; any number of processes may. Again every ten minutes: while processes are started anew one
    after the other, one that seals by the key beside may still be there.
    """

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

    async def run(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            await self.once()
            await pause(stopping, EVERY_S)

    async def once(self) -> int:
        """How many webhooks it was. One whose secret neither key opens is left as it is: its deliveries say so."""
        written = []
        async with self._database.transaction() as uow:
            connection = await uow.sql()
            for row in await connection.fetch(LOCK):
                sealed = [row["secret"], row["old_secret"]]
                try:
                    anew = [each and self._sealer.anew(bytes(each), row["id"]) for each in sealed]
                except InvalidTag:
                    continue
                if anew != sealed:
                    written.append((row["id"], *anew))
            if written:
                await connection.execute(WRITE, *map(list, zip(*written, strict=True)))
        if written:
            telemetry.logger().info("webhook_secrets_sealed_anew", count=len(written))
        return len(written)
