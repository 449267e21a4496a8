"""Deliver what is waiting: signed, to where it was looked at, again until it is taken or three days are over."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import httpx
from assent_common import telemetry
from assent_common.database import Database, is_transient
from assent_common.supervise import pause
from cryptography.exceptions import InvalidTag

from assent_workflow.webhooks import addresses, store
from assent_workflow.webhooks.addresses import Network, Refused, Resolve
from assent_workflow.webhooks.sign import Sealer, signatures

AT_ONCE = 10
LOOK_EVERY_S = 1.0
LONGEST_RETRY_AFTER_S = 86_400.0


class Deliveries:
    """Any number of processes share them. A receiver may see one twice: where its answer did not reach us."""

    def __init__(
        self,
        database: Database,
        sealer: Sealer,
        allowed: Sequence[Network] = (),
        *,
        resolve: Resolve = addresses.resolve,
    ) -> None:
        self._database = database
        self._sealer = sealer
        self._allowed = allowed
        self._resolve = resolve
        # Of its own: no proxy of the environment decides where a connection goes, and none is kept for another name.
        self._client = httpx.AsyncClient(
            timeout=10, follow_redirects=False, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0)
        )

    async def run(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            try:
                busy = await self.once()
            except Exception as error:
                if not is_transient(error):
                    raise
                busy = False
            if not busy:
                await pause(stopping, LOOK_EVERY_S)

    async def once(self) -> bool:
        """Write what is to be delivered, and try some of what is due. True if there may be more."""
        async with self._database.transaction() as uow:
            told = await store.fan_out(await uow.sql())
        async with self._database.connection() as connection:
            due = await store.claim(connection, AT_ONCE)
        await asyncio.gather(*(self._deliver(each) for each in due))
        return bool(told or due)

    async def _deliver(self, delivery: Mapping[str, Any]) -> None:
        status, error, retry_after_s = await self._send(delivery)
        attempts: int = delivery["attempts"]
        async with self._database.connection() as connection:
            if status == 410:
                await connection.execute(store.DISABLE, delivery["webhook"], "the receiver said that it is gone (410)")
                await connection.execute(store.GIVE_UP, delivery["webhook"], "the receiver is gone")
                return
            if status is not None and 200 <= status < 300:
                outcome, wait_s = "delivered", 0.0
            elif attempts > len(store.RETRIES_S):
                outcome, wait_s = "failed", 0.0
            else:
                later_s = store.RETRIES_S[attempts - 1] * random.uniform(0.8, 1.2)  # noqa: S311 - spreads, hides nothing
                outcome, wait_s = "waiting", max(later_s, retry_after_s)
            await connection.execute(store.ENDED, delivery["id"], attempts, outcome, status, error, wait_s)

    async def _send(self, delivery: Mapping[str, Any]) -> tuple[int | None, str | None, float]:
        """The answer's status, or why there is none; and how long the receiver wants to be left alone."""
        webhook: UUID = delivery["webhook"]
        id_, now, body = str(delivery["id"]), delivery["now"], bytes(delivery["body"])
        if not delivery["enabled"]:
            return None, "the webhook is disabled", 0.0
        try:
            target = await addresses.look(delivery["url"], self._allowed, resolve=self._resolve)
            sealed = [each for each in (delivery["secret"], delivery["old_secret"]) if each is not None]
            secrets = [self._sealer.open(each, webhook) for each in sealed]
            headers = {
                **target.headers,
                "content-type": "application/cloudevents+json",
                "user-agent": "Assent",
                "webhook-id": id_,
                "webhook-timestamp": str(now),
                "webhook-signature": signatures(secrets, id_=id_, timestamp=now, body=body),
            }
            # What it answers is not read: nothing of it is shown to anybody.
            async with (
                asyncio.timeout(15),
                self._client.stream(
                    "POST", target.url, content=body, headers=headers, extensions={"sni_hostname": target.host}
                ) as answer,
            ):
                return answer.status_code, _said(answer.status_code), _retry_after_s(answer.headers)
        except Refused as error:
            return None, str(error), 0.0
        except InvalidTag:
            telemetry.logger().error("webhook_secret_unreadable", webhook=str(webhook))
            return None, "its secret was kept with another key", 0.0
        except (httpx.HTTPError, OSError, TimeoutError) as error:
            return None, type(error).__name__, 0.0


def _said(status: int) -> str | None:
    return None if 200 <= status < 300 else f"it answered {status}"


def _retry_after_s(headers: httpx.Headers) -> float:
    """Seconds only; a date or nonsense counts as nothing."""
    text = headers.get("retry-after", "")
    return min(float(text), LONGEST_RETRY_AFTER_S) if text.isascii() and text.isdigit() else 0.0
