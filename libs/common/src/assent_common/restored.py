"""Is this database older than what was told from it? Then it was restored, and must not go on as if nothing had been.

What a service told lies on its topics, each event with the offset that the broker gave. The database remembers how far
that was acknowledged. What lies beyond, and is not in its outbox, was told by a later state of this database that is
lost: by how far, that is known by nobody else. See docs/decisions/0018.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple

import asyncpg
from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.errors import KafkaError

from assent_common import metrics, telemetry
from assent_common.actors import ASSENT
from assent_common.database import Database, is_transient
from assent_common.events import envelope
from assent_common.events.envelope import CloudEvent, UnreadableEvent
from assent_common.health import Health
from assent_common.kafka.connection import ANSWER_WITHIN_S, BrokerUnavailable, ensure_topics, options
from assent_common.kafka.disposal import start, stop_consumer
from assent_common.kafka.topics import Topic
from assent_common.outbox import append
from assent_common.outbox.relay import acknowledge
from assent_common.settings import Settings
from assent_common.supervise import pause
from assent_common.uow import UnitOfWork

Reconcile = Callable[[UnitOfWork, Sequence[CloudEvent]], Awaitable[frozenset[str]]]
"""Bring a service's own rows in step with what it told after the backup: of each entity the last event.

Everything that it tells stands above those. Returns the subjects that it takes care of later: the rest of what the
outbox holds is told again as it was.
"""

NAME = "restored"
BEFORE_SERVING_S = 15.0
AGAIN_S = 2.0

# A failover has another timeline, a dump that was read in another oid, a new server another system.
HOME = """
select (select system_identifier from pg_control_system()) || '/'
    || (select timeline_id from pg_control_checkpoint()) || '/'
    || (select oid from pg_database where datname = current_database())
"""
STANDING = """
select p.value >> 32 as number, h.address, (select count(*) from outbox_acknowledged) as acknowledged
  from outbox_position p, home h
"""
ACKNOWLEDGED = 'select topic, partition, "offset" from outbox_acknowledged'
# Index: outbox_entity.
UNKNOWN = """
select e.i from unnest($1::text[], $2::text[], $3::bytea[]) with ordinality as e(topic, key, body, i)
 where not exists (select from outbox o where o.topic = e.topic and o.key = e.key and o.body = e.body)
"""
AT_HOME = "update home set address = $1"
HOLD = "select value >> 32 as number, pg_advisory_xact_lock($1) from outbox_position for update"
# Who followed by position is told that what came behind is gone, and lists again.
NEXT = "update outbox_position set value = ((value >> 32) + 1) << 32"
# What was written before this was known has the number of another event; its state was told again, or is read again.
# Index: outbox_unpublished.
LET_GO = """
delete from outbox
 where published_at is null and position is null and sequence < (select (value >> 32) << 32 from outbox_position)
"""
# Index: outbox_entity.
LAST = """
select o.key, o.scope, o.body from outbox o
 where o.topic = $1 and o.key > $2
   and not exists (select from outbox n where n.topic = o.topic and n.key = o.key and n.id > o.id)
 order by o.key limit 1000
"""


# Index: outbox_entity.
LAST_OF = """
select o.body
  from unnest($1::text[], $2::text[]) with ordinality as e(topic, key, i)
  left join lateral (select body from outbox where (topic, key) = (e.topic, e.key) order by id desc limit 1) o on true
 order by e.i
"""


class Found(NamedTuple):
    """What the topics hold beyond what the database knows."""

    #: (topic, entity) → the last event of it.
    unknown: Mapping[tuple[str, str], CloudEvent]
    #: Where the partitions end: (topic, partition) → the next offset.
    ends: dict[tuple[str, int], int]
    #: The broker lost what it acknowledged once: then its topics prove nothing.
    is_lost: bool

    @property
    def last(self) -> dict[tuple[str, int], int]:
        """The offset of the last event in each partition that has one."""
        return {where: end - 1 for where, end in self.ends.items() if end}


class Standing:
    """What is known of the database of this process. `closed` says why it must not be relied on yet, if so."""

    def __init__(
        self, settings: Settings, database: Database, health: Health, topics: Sequence[Topic], reconcile: Reconcile
    ) -> None:
        self.closed: str | None = "it is not known yet whether the database was restored from a backup"
        self._settings = settings
        self._database = database
        self._health = health
        self._topics = topics
        self._reconcile = reconcile

    async def settle(self) -> None:
        """A little while before the service answers; what takes longer is done by `run` beside it."""
        try:
            async with asyncio.timeout(BEFORE_SERVING_S):
                async with self._database.connection() as connection:
                    row = await connection.fetchrow(STANDING)
                    home = await connection.fetchval(HOME)
                if row["address"] == home or (row["address"] is None and not row["acknowledged"]):
                    # As far as Postgres knows, nobody put anything in its place.
                    self.closed = None
                await self._look(home)
        except Exception as error:
            if not isinstance(error, BrokerUnavailable) and not is_transient(error):
                raise
            self._health.failing(NAME, f"not known yet: {error!r}")

    async def run(self, stopping: asyncio.Event) -> None:
        """Until it is known. Nothing is published and nothing consumed before."""
        while not stopping.is_set() and not self._database.settled.is_set():
            await pause(stopping, AGAIN_S)
            try:
                async with self._database.connection() as connection:
                    home = await connection.fetchval(HOME)
                await self._look(home)
            except BrokerUnavailable as error:
                self._health.failing(NAME, f"not known yet: {error!r}")
        await stopping.wait()

    async def _look(self, home: str) -> None:
        async with self._database.connection() as connection:
            number = (await connection.fetchrow(STANDING))["number"]
        found = await self._find()
        if any(event.number // append.GENERATION >= number for event in found.unknown.values()):
            await self._catch_up(found, number)
        elif found.unknown:
            await self._hear_late(found, number)
        elif found.is_lost and self.closed is not None:
            self.closed = "the database was moved or restored, and Kafka has lost what would tell which"
            self._health.failing(NAME, self.closed + ": see docs/how-to/back-up-and-restore.md")
            raise BrokerUnavailable(self.closed)
        async with self._database.connection() as connection:
            await connection.execute(AT_HOME, home)
            number = (await connection.fetchrow(STANDING))["number"]
        metrics.GENERATION.set(number)
        self._database.generation = number
        self.closed = None
        self._health.recovered(NAME)
        self._database.settled.set()

    async def _find(self) -> Found:
        if not self._topics:
            return Found({}, {}, False)
        try:
            await ensure_topics(self._settings, self._topics)
        except BrokerUnavailable as error:
            # The relay, which says so otherwise, waits for this to be known.
            self._health.failing("kafka", str(error))
            raise
        async with self._database.connection() as connection:
            rows = await connection.fetch(ACKNOWLEDGED)
        acknowledged = {(row["topic"], row["partition"]): row["offset"] for row in rows}
        newest: dict[tuple[str, str], CloudEvent] = {}
        ends: dict[tuple[str, int], int] = {}
        async for records in self._beyond(acknowledged, ends):
            for topic, event in await self._unknown(records):
                before = newest.get((topic, event.subject))
                if before is None or event.number > before.number:
                    newest[topic, event.subject] = event
        is_lost = any(ends.get(where, 0) <= offset for where, offset in acknowledged.items())
        return Found(newest, ends, is_lost)

    async def _beyond(
        self, acknowledged: dict[tuple[str, int], int], ends: dict[tuple[str, int], int]
    ) -> AsyncIterator[Sequence[ConsumerRecord]]:
        """What lies on the service's topics behind what it remembers."""
        prefix = self._settings.kafka_topic_prefix
        # In no group: every partition is assigned to it.
        consumer = AIOKafkaConsumer(
            *(topic.full_name(prefix) for topic in self._topics),
            **options(self._settings, f"assent-{self._database.service}-restored"),
            enable_auto_commit=False,
            max_partition_fetch_bytes=2 * 1024 * 1024,
        )
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                await start(consumer)
                partitions = list(consumer.assignment())
                last = await consumer.end_offsets(partitions)
                first = await consumer.beginning_offsets(partitions)
            ends.update({(p.topic.removeprefix(prefix), p.partition): end for p, end in last.items()})
            starts = {
                p: max(first[p], acknowledged.get((p.topic.removeprefix(prefix), p.partition), -1) + 1)
                for p in partitions
            }
            behind = [p for p in partitions if starts[p] < last[p]]
            if not behind:
                return
            for partition in partitions:
                consumer.seek(partition, min(starts[partition], last[partition]))
            while True:
                async with asyncio.timeout(ANSWER_WITHIN_S):
                    if not [p for p in behind if await consumer.position(p) < last[p]]:
                        return
                    fetched = await consumer.getmany(timeout_ms=500, max_records=1000)
                if records := [record for batch in fetched.values() for record in batch]:
                    yield records
        except (KafkaError, OSError, TimeoutError) as error:
            raise BrokerUnavailable(repr(error)) from error
        finally:
            await stop_consumer(consumer)

    async def _unknown(self, records: Sequence[ConsumerRecord]) -> list[tuple[str, CloudEvent]]:
        """Those of our own that the outbox does not hold to the byte."""
        prefix = self._settings.kafka_topic_prefix
        ours: list[tuple[str, CloudEvent, bytes]] = []
        for record in records:
            try:
                event = envelope.from_bytes(record.value)
            except UnreadableEvent:
                continue
            if event.source == f"/assent/{self._database.service}":
                ours.append((record.topic.removeprefix(prefix), event, record.value))
        columns = [topic for topic, _, _ in ours], [event.subject for _, event, _ in ours], [b for _, _, b in ours]
        async with self._database.connection() as connection:
            rows = await connection.fetch(UNKNOWN, *columns)
        return [ours[row["i"] - 1][:2] for row in rows]

    async def _hear_late(self, found: Found, number: int) -> None:
        """What was on its way when the database was restored, and arrived after that was noticed.

        It proves no second restoring. What it says is reckoned with, unless the entity has changed since.
        """
        async with self._database.transaction() as uow:
            connection = await uow.sql()
            if (await connection.fetchrow(HOLD, append.LOCK))["number"] != number:
                return
            await acknowledge(connection, found.last)
            late = await _not_overtaken(connection, found.unknown)
            if not late:
                return
            await self._reconcile(uow, late)
            details = {"told_late": len(late), "generation": number}
            uow.audit(ASSENT, "database.heard_late", self._database.service, details)
        telemetry.logger().warning("database_heard_late", **details)

    async def _catch_up(self, found: Found, number: int) -> None:
        """In one transaction: a new generation, the service's own rows, and everything told again above what was."""
        async with self._database.transaction() as uow:
            connection = await uow.sql()
            if (await connection.fetchrow(HOLD, append.LOCK))["number"] != number:
                # Another process of this service has just done it.
                return
            await connection.execute(NEXT)
            await acknowledge(connection, found.last)
            cared_for = await self._reconcile(uow, list(found.unknown.values())) | uow.told
            again = 0
            for topic in self._topics:
                again += await _tell_again(connection, topic, cared_for)
            await connection.execute(LET_GO)
            details = {"told_since": len(found.unknown), "told_again": again, "generation": number + 1}
            uow.audit(ASSENT, "database.restored", self._database.service, details)
        telemetry.logger().warning("database_was_restored", **details)


async def _not_overtaken(
    connection: asyncpg.Connection, told: Mapping[tuple[str, str], CloudEvent]
) -> list[CloudEvent]:
    """Those of which the outbox holds nothing later. What was only told again after a restoring has its time of old."""
    rows = await connection.fetch(LAST_OF, [topic for topic, _ in told], [key for _, key in told])
    return [
        event
        for row, event in zip(rows, told.values(), strict=True)
        if row["body"] is None or envelope.from_bytes(row["body"]).time < event.time
    ]


async def _tell_again(connection: asyncpg.Connection, topic: Topic, cared_for: frozenset[str]) -> int:
    """The last state of each entity, as the outbox has it, but for those that are told otherwise."""
    count, after = 0, ""
    while rows := await connection.fetch(LAST, topic.name, after):
        after = rows[-1]["key"]
        again = [row for row in rows if row["key"] not in cared_for]
        count += len(again)
        await append.again(connection, topic, [(envelope.from_bytes(row["body"]), row["scope"]) for row in again])
    return count


async def nothing_to_reconcile(_: UnitOfWork, __: Sequence[CloudEvent]) -> frozenset[str]:
    """For a service whose rows follow by themselves."""
    return frozenset()
