"""Checkpoints: where a log ended, signed, and kept where the database's administrator has no hand.

They go straight to Kafka, not through the outbox: that is a table of the very database that they bear witness against.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import asyncpg
from joserfc.jwk import KeySet

from assent_common import metrics, telemetry
from assent_common.audit import chain
from assent_common.clock import to_utc
from assent_common.database import Database, is_transient
from assent_common.events import envelope
from assent_common.events.audit import AuditCheckpoint
from assent_common.events.envelope import CONTENT_TYPE
from assent_common.kafka.connection import BrokerUnavailable, ensure_topics
from assent_common.kafka.producer import Message, Publisher
from assent_common.kafka.topics import AUDIT
from assent_common.leases import Lease
from assent_common.settings import Settings
from assent_common.signing import Signer, opened
from assent_common.supervise import pause

KIND = "assent-audit-checkpoint+jwt"
TYPE = "assent.audit.checkpoint.signed.v1"
EVERY_S = 60.0
AGAIN_AFTER_S = 3600.0
RETRY_S = 5.0
HELD_FOR_S = 30.0
"""At least: longer than it takes to publish, topic and all, so that nobody else signs meanwhile."""

STANDING = "select hash from audit where seq = $1"
HEADERS = [("content-type", CONTENT_TYPE.encode())]


class Checkpoints:
    """Signs and publishes where the log ends, each minute in which it grew. Any number may run; a lease picks."""

    def __init__(self, settings: Settings, database: Database, signer: Signer, *, every_s: float = EVERY_S) -> None:
        self._settings = settings
        self._database = database
        self._signer = signer
        self._every_s = every_s
        self._publisher = Publisher(settings, f"assent-{database.service}-audit")
        self._lease = Lease("audit-checkpoints", ttl_s=max(2.5 * every_s, HELD_FOR_S))
        self._signed = chain.BEGINNING
        self._published_at = float("-inf")
        self._topic_is_there = False

    async def run(self, stopping: asyncio.Event) -> None:
        """Until `stopping`. What broker or database do not take now is signed a little later."""
        try:
            while not stopping.is_set():
                try:
                    await self._round()
                    await pause(stopping, self._every_s)
                except Exception as error:
                    if not isinstance(error, BrokerUnavailable) and not is_transient(error):
                        raise
                    telemetry.logger().warning("audit_checkpoint_not_published", reason=repr(error))
                    await pause(stopping, RETRY_S)
        finally:
            await self._close()

    async def _round(self) -> None:
        async with self._database.connection() as connection:
            if not await self._lease.claim(connection):
                return
            head = await self._head(connection)
        now = asyncio.get_running_loop().time()
        if head is None or head.seq == 0 or (head == self._signed and now - self._published_at < AGAIN_AFTER_S):
            return
        checkpoint = signed(self._signer, self._database.service, head, self._database.clock.now())
        if not self._topic_is_there:
            await ensure_topics(self._settings, [AUDIT])
            self._topic_is_there = True
        event = envelope.create(
            source=f"/assent/{checkpoint.service}",
            type=TYPE,
            subject=checkpoint.service,
            sequence=checkpoint.size,
            time=checkpoint.at,
            data=checkpoint,
        )
        topic = AUDIT.full_name(self._settings.kafka_topic_prefix)
        body = envelope.to_bytes(event)
        await self._publisher.publish([Message(topic, checkpoint.service.encode(), body, HEADERS)])
        self._signed, self._published_at = head, now
        metrics.AUDIT_CHECKPOINTED.set(head.seq)
        # A second witness, wherever the logs go.
        telemetry.logger().info("audit_checkpoint", size=head.seq, head=head.hash, signed=checkpoint.signed)

    async def _head(self, connection: asyncpg.Connection) -> chain.Head | None:
        """Where the chain ends, if it goes on from where it was signed last: this process signs nothing else.

        One that has just started has no memory: it signs what it finds, and the older checkpoints tell.
        """
        last = self._signed
        if not last.seq:
            return await chain.head(connection)
        faults = []
        if await connection.fetchval(STANDING, last.seq) != last.hash:
            faults.append(chain.Fault(last.seq, None, "is not the one that was signed"))
        walk = chain.Walk(start=last)
        faults += [fault async for fault in chain.faults(connection, walk)]
        metrics.AUDIT_BROKEN.set(bool(faults))
        if not faults:
            return chain.Head(walk.seq, walk.hash)
        telemetry.logger().error("audit_log_broken", faults=[str(fault) for fault in faults[:20]])
        return None

    async def _close(self) -> None:
        try:
            async with asyncio.timeout(2), self._database.connection() as connection:
                await self._lease.release(connection)
        except Exception as error:
            if not is_transient(error):
                raise
        await self._publisher.close()


def signed(signer: Signer, service: str, head: chain.Head, at: datetime) -> AuditCheckpoint:
    claims = {"service": service, "size": head.seq, "head": head.hash, "at": _text(at)}
    return AuditCheckpoint(service=service, size=head.seq, head=head.hash, at=at, signed=signer.sign(KIND, claims))


def heads(checkpoints: Sequence[str], service: str, keys: KeySet) -> list[chain.Head]:
    """What the signed checkpoints say of a service's log. Raises BadSignature for one that nobody trusted signed."""
    said: list[dict[str, Any]] = [opened(each, KIND, keys) for each in checkpoints]
    return [
        chain.Head(claims["size"], claims["head"], f"at {claims['at']}, as was signed then")
        for claims in said
        if claims["service"] == service
    ]


def _text(at: datetime) -> str:
    return to_utc(at).isoformat(timespec="microseconds").replace("+00:00", "Z")
