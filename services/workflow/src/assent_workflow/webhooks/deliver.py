"""Deliver what is waiting: signed, to where it was looked at, again until it is taken or three days are over."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from assent_common import telemetry
from assent_common.database import Database
from assent_common.uow import UnitOfWork
from cryptography.exceptions import InvalidTag

from assent_workflow.outgoing import addresses
from assent_workflow.outgoing.addresses import Network, Resolve
from assent_workflow.outgoing.hosts import ANY, Hosts
from assent_workflow.outgoing.outcome import Outcome
from assent_workflow.outgoing.places import Row
from assent_workflow.outgoing.post import Poster
from assent_workflow.outgoing.queue import Ended, now_of
from assent_workflow.outgoing.worker import Worker
from assent_workflow.webhooks import store
from assent_workflow.webhooks.disable import disable
from assent_workflow.webhooks.sign import Sealer, signatures

GONE = 410


class Deliveries:
    """Any number of processes share them. A receiver may see one twice: where its answer did not reach us."""

    def __init__(
        self,
        database: Database,
        sealer: Sealer,
        allowed: Sequence[Network] = (),
        *,
        hosts: Hosts = ANY,
        resolve: Resolve = addresses.resolve,
        cafile: str | None = None,
    ) -> None:
        self._database = database
        self._sealer = sealer
        self._poster = Poster(allowed, hosts=hosts, resolve=resolve, cafile=cafile)
        self._worker = Worker(
            *(database, store.QUEUE, self._send), channel="webhook", prepare=store.fan_out, after=self._after
        )

    async def run(self, stopping: asyncio.Event) -> None:
        await self._worker.run(stopping)

    async def _send(self, delivery: Row) -> Outcome:
        async with self._database.connection() as connection:
            webhook = await connection.fetchrow(store.RECEIVER, delivery["webhook"])
        if webhook is None or not webhook["enabled"]:
            return Outcome(error="the webhook is disabled")
        id_, body, now = str(delivery["id"]), bytes(delivery["body"]), now_of(delivery)
        timestamp = int(now.timestamp())
        try:
            secrets = self._secrets(webhook)
        except InvalidTag:
            telemetry.logger().error("webhook_secret_unreadable", webhook=str(webhook["id"]))
            return Outcome(error="its secret was kept with another key")
        headers = {
            "content-type": "application/cloudevents+json",
            "webhook-id": id_,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signatures(secrets, id_=id_, timestamp=timestamp, body=body),
        }
        return await self._poster.post(webhook["url"], body, headers, at=now)

    def _secrets(self, webhook: Mapping[str, Any]) -> list[str]:
        sealed = [each for each in (webhook["secret"], webhook["old_secret"]) if each is not None]
        return [self._sealer.open(each, webhook["id"]) for each in sealed]

    async def _after(self, uow: UnitOfWork, delivery: Row, outcome: Outcome, ended: Ended) -> None:
        webhook: UUID = delivery["webhook"]
        if outcome.status == GONE:
            await disable(uow, webhook, "the receiver said that it is gone (410)")
        elif ended == "failed" and await (await uow.sql()).fetchval(store.TOOK_NOTHING, webhook, delivery["id"]):
            await disable(uow, webhook, f"it took nothing for days; the last time {outcome.error}")
