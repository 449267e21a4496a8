"""Publish what is in the outbox: in order per key, at least once, within milliseconds of the commit."""

import asyncio
from collections.abc import Mapping, Sequence

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from assent_common import audit, metrics, telemetry
from assent_common.database import Database, is_transient
from assent_common.events.envelope import CONTENT_TYPE
from assent_common.health import Health
from assent_common.kafka.connection import ANSWER_WITHIN_S, BrokerUnavailable, ensure_topics, options
from assent_common.kafka.disposal import start, stop_consumer
from assent_common.kafka.producer import Message, Publisher
from assent_common.kafka.topics import Topic
from assent_common.leases import Lease
from assent_common.outbox.append import RANGES
from assent_common.outbox.pace import Pace
from assent_common.outbox.replay import replay
from assent_common.settings import Settings
from assent_common.supervise import either, pause

# A replayed row that a newer one of its entity has overtaken is not sent: the newer one is the state.
# No more bytes at once than go out well before the deadline, but one row at least.
# Index: outbox_unpublished, outbox_entity.
TAKE = """
select id, topic, key, body, overtaken
  from (select id, topic, key, body,
               replayed and exists (
                   select from outbox n where n.topic = o.topic and n.key = o.key and n.id > o.id) as overtaken,
               sum(octet_length(body)) over (order by id) - octet_length(body) as bytes_before
          from (select * from outbox
                 where published_at is null and range = any($1::smallint[])
                 order by id
                 limit $2) o) taken
 where bytes_before < 8000000
 order by id
"""
# The lease cannot pass to another until the transaction ends.
HOLD = """
select count(*) = cardinality($1::smallint[])
  from (select from leases
         where duty = 'outbox-relay' and (shard, fence) in (select * from unnest($1::smallint[], $2::bigint[]))
           for share) held
"""
# Positions are given and rows are marked together. The row of outbox_position is held until the commit, so that
# positions become visible in their order and without gaps.
MARK = """
with fresh as (
    select id, row_number() over (order by id) as n from outbox where id = any($1::bigint[]) and position is null
), counter as (
    update outbox_position set value = value + (select count(*) from fresh)
    returning value - (select count(*) from fresh) as base
)
update outbox o
   set published_at = now(), replayed = false, position = coalesce(o.position, c.base + f.n)
  from counter c, unnest($1::bigint[]) with ordinality t(id, i) left join fresh f on f.id = t.id
 where o.id = t.id
"""
# Where the first offset of a batch is not beyond the last one acknowledged before it, that log began anew meanwhile.
# (One relay publishes at a time: nobody else's offsets can be in between.)
LOST = """
select distinct a.topic
  from outbox_acknowledged a join unnest($1::text[], $2::int[], $3::bigint[]) as f(topic, partition, first)
    on (a.topic, a.partition) = (f.topic, f.partition) and f.first <= a."offset"
"""
FORGET_ACKNOWLEDGED = "delete from outbox_acknowledged where topic = any($1::text[])"
ACKNOWLEDGE = """
insert into outbox_acknowledged as a (topic, partition, "offset")
select * from unnest($1::text[], $2::int[], $3::bigint[])
on conflict (topic, partition) do update set "offset" = excluded."offset"
"""
BACKLOG = """
select count(*) as pending,
       coalesce(extract(epoch from now() - min(created_at)), 0)::float8 as oldest,
       (select count(*) from (select from audit where seq is null limit 100000) a) as unsealed
  from (select created_at from outbox where published_at is null order by id limit 100000) o
"""
PRUNE = """
delete from outbox where id in (
    select id from outbox o
     where published_at < now() - make_interval(days => 7)
       and exists (select from outbox n where n.topic = o.topic and n.key = o.key and n.id > o.id)
     limit 5000)
"""
PRUNED_AT_ONCE = 5000
FORGET_KEYS = "delete from idempotency_keys where created_at < now() - interval '24 hours'"

HEADERS = [("content-type", CONTENT_TYPE.encode())]
POLL_S = 1.0
CHECK_BROKER_S = 20.0
TIDY_S = 600.0
MARGIN_S = 1.0


class Relay:
    """The one publisher of a service's events, and the sealer of its audit log. Any number may run; a lease picks."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        health: Health,
        *,
        topics: Sequence[Topic],
        publisher: Publisher | None = None,
        batch: int = 500,
    ) -> None:
        self._settings = settings
        self._database = database
        self._health = health
        self._topics = topics
        self._publisher = publisher or Publisher(settings, f"assent-{database.service}-relay")
        self._batch = self._largest_batch = batch
        self._lease = Lease("outbox-relay", range(RANGES))
        self._seal = Lease("audit-sealer")
        self._pace = Pace(settings, topics) if settings.outbox_max_ahead_bytes else None
        self._checked_at = self._tidied_at = self._measured_at = float("-inf")
        health.starting("kafka")

    async def run(self, stopping: asyncio.Event) -> None:
        """Until `stopping`, whatever happens to broker and database meanwhile."""
        backoff_s = 0.2
        try:
            await either(self._database.settled, stopping)
            while not stopping.is_set():
                try:
                    busy = await self._round(stopping)
                    self._health.working("kafka")
                    self._batch = min(self._batch * 2, self._largest_batch)
                    backoff_s = 0.2
                    if not busy:
                        await self._idle(stopping)
                except BrokerUnavailable as error:
                    # What cannot go out before the deadline would never go out.
                    self._batch = max(1, self._batch // 2)
                    self._checked_at = float("-inf")
                    self._health.failing("kafka", str(error))
                    await pause(stopping, backoff_s)
                    backoff_s = min(backoff_s * 2, 5)
                except Exception as error:
                    if not is_transient(error):
                        raise
                    self._health.failing("kafka", f"postgres: {error!r}")
                    await pause(stopping, backoff_s)
                    backoff_s = min(backoff_s * 2, 5)
        finally:
            await self._close()

    async def _round(self, stopping: asyncio.Event) -> bool:
        """One batch. True if there may be more."""
        self._database.outbox_written.clear()
        async with self._database.connection() as connection:
            await self._seal_audit(connection)
            await self._measure(connection)
            fences = await self._lease.claim(connection)
            if fences:
                await self._tidy(connection)
        await self._check_broker(fences)
        if not fences:
            return False
        async with self._database.connection() as connection:
            rows = await connection.fetch(TAKE, list(fences), self._batch)
        if not rows:
            return False
        # Nothing is sent once the lease may be over: the next holder's events would be overtaken by ours.
        deadline_s = self._lease.left_s - MARGIN_S
        if deadline_s < MARGIN_S:
            return True
        await self._publish(rows, fences, deadline_s)
        if self._pace is not None:
            await self._pace.wait(stopping)
        return True

    async def _publish(self, rows: Sequence[asyncpg.Record], fences: Mapping[int, int], deadline_s: float) -> None:
        prefix = self._settings.kafka_topic_prefix
        sent = [row for row in rows if not row["overtaken"]]
        acknowledged = await self._publisher.publish(
            [Message(prefix + row["topic"], row["key"].encode(), row["body"], HEADERS) for row in sent],
            deadline_s=deadline_s,
        )
        first: dict[tuple[str, int], int] = {}
        last: dict[tuple[str, int], int] = {}
        for row, ack in zip(sent, acknowledged, strict=True):
            first.setdefault((row["topic"], ack.partition), ack.offset)
            last[row["topic"], ack.partition] = ack.offset
            metrics.OUTBOX_PUBLISHED.labels(row["topic"]).inc()
            if self._pace is not None:
                self._pace.sent(row["topic"], ack, len(row["body"]))
        async with self._database.connection() as connection, connection.transaction():
            if not await connection.fetchval(HOLD, list(fences), list(fences.values())):
                telemetry.logger().warning("lease_lost", rows=len(rows))
                return
            await connection.execute(MARK, [row["id"] for row in rows])
            lost = [row["topic"] for row in await connection.fetch(LOST, *_columns(first))]
            await self._replay(connection, lost)
            await acknowledge(connection, last)

    async def _check_broker(self, fences: Mapping[int, int]) -> None:
        """Now and then: is it there, and has it what it acknowledged?

        It lost that when it was wiped or replaced or a topic was made anew: then all is sent again.
        """
        now = asyncio.get_running_loop().time()
        if now - self._checked_at <= CHECK_BROKER_S:
            return
        await ensure_topics(self._settings, self._topics)
        if fences:
            async with self._database.connection() as connection:
                acknowledged = {
                    (row["topic"], row["partition"]): row["offset"]
                    for row in await connection.fetch("select * from outbox_acknowledged")
                }
            ends = await self._ends(acknowledged) if acknowledged else {}
            lost = sorted({topic for (topic, part), offset in acknowledged.items() if ends[topic, part] <= offset})
            async with self._database.connection() as connection, connection.transaction():
                await self._replay(connection, lost)
        self._checked_at = now

    async def _replay(self, connection: asyncpg.Connection, lost: Sequence[str]) -> None:
        await connection.execute(FORGET_ACKNOWLEDGED, lost)
        for topic in lost:
            count = await replay(connection, topic)
            telemetry.logger().warning("broker_lost_its_log", topic=topic, replaying=count)

    async def _ends(self, of: Mapping[tuple[str, int], int]) -> dict[tuple[str, int], int]:
        prefix = self._settings.kafka_topic_prefix
        consumer = AIOKafkaConsumer(
            *sorted({prefix + topic for topic, _ in of}),
            **options(self._settings, f"assent-{self._database.service}-check"),
        )
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                await start(consumer)
                wanted = {
                    TopicPartition(prefix + topic, partition): (topic, partition)
                    for topic, partition in of
                    if partition in (consumer.partitions_for_topic(prefix + topic) or set())
                }
                ends = await consumer.end_offsets(list(wanted)) if wanted else {}
                return dict.fromkeys(of, 0) | {wanted[tp]: end for tp, end in ends.items()}
        except (KafkaError, OSError, TimeoutError) as error:
            raise BrokerUnavailable(repr(error)) from error
        finally:
            await stop_consumer(consumer)

    async def _seal_audit(self, connection: asyncpg.Connection) -> None:
        fences = await self._seal.claim(connection)
        if fences:
            while await audit.seal(connection, fences[0]) == audit.SEALED_AT_ONCE:
                pass

    async def _measure(self, connection: asyncpg.Connection) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._measured_at > POLL_S:
            row = await connection.fetchrow(BACKLOG)
            metrics.OUTBOX_PENDING.set(row["pending"])
            metrics.OUTBOX_OLDEST_SECONDS.set(row["oldest"])
            metrics.AUDIT_UNSEALED.set(row["unsealed"])
            self._measured_at = now

    async def _tidy(self, connection: asyncpg.Connection) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._tidied_at > TIDY_S:
            pruned = await connection.execute(PRUNE)
            await connection.execute(FORGET_KEYS)
            if pruned != f"DELETE {PRUNED_AT_ONCE}":
                self._tidied_at = now

    async def _idle(self, stopping: asyncio.Event) -> None:
        """Until something is written, or a second: another process may write, too."""
        await either(self._database.outbox_written, stopping, within_s=POLL_S)

    async def _close(self) -> None:
        try:
            async with asyncio.timeout(3), self._database.connection() as connection:
                await self._lease.release(connection)
                await self._seal.release(connection)
        except Exception as error:
            if not is_transient(error):
                raise
            telemetry.logger().info("lease_not_released", reason=repr(error))
        await self._publisher.close()
        if self._pace is not None:
            await self._pace.close()


async def acknowledge(connection: asyncpg.Connection, offsets: Mapping[tuple[str, int], int]) -> None:
    """Remember that the broker has everything up to these: (topic, partition) → offset."""
    await connection.execute(ACKNOWLEDGE, *_columns(offsets))


def _columns(offsets: Mapping[tuple[str, int], int]) -> tuple[list[str], list[int], list[int]]:
    return [topic for topic, _ in offsets], [partition for _, partition in offsets], list(offsets.values())
