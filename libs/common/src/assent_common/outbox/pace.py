"""Keep the relay from running away from its readers, on a broker that keeps only a few megabytes a partition."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Sequence

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from assent_common import telemetry
from assent_common.kafka.connection import options
from assent_common.kafka.disposal import close_admin, start
from assent_common.kafka.producer import Acknowledged
from assent_common.kafka.topics import Topic
from assent_common.settings import Settings
from assent_common.supervise import pause

PATIENCE_S = 30.0
"""A reader that has not moved for so long is not waited for: what it lacks it finds by counting, and asks for."""


class Pace:
    """Counts the bytes that the slowest reader of each partition has still to read."""

    def __init__(self, settings: Settings, topics: Sequence[Topic]) -> None:
        self._settings = settings
        self._readers = {topic.name: topic.readers for topic in topics}
        self._limit = settings.outbox_max_ahead_bytes or 0
        self._ahead: dict[tuple[str, int], deque[tuple[int, int]]] = defaultdict(deque)
        self._admin: AIOKafkaAdminClient | None = None

    def sent(self, topic: str, acknowledged: Acknowledged, size: int) -> None:
        self._ahead[topic, acknowledged.partition].append((acknowledged.offset, size))

    async def wait(self, stopping: asyncio.Event) -> None:
        """Until no partition is further ahead than the limit, or its readers have stood still for half a minute."""
        loop = asyncio.get_running_loop()
        moved_at, before = loop.time(), self._most()
        while self._most() > self._limit and not stopping.is_set():
            if loop.time() - moved_at > PATIENCE_S:
                telemetry.logger().warning("readers_left_behind", bytes=self._most())
                self._ahead.clear()
                return
            await self._read_progress()
            if self._most() < before:
                moved_at, before = loop.time(), self._most()
            if self._most() > self._limit:
                await pause(stopping, 0.1)

    async def close(self) -> None:
        admin, self._admin = self._admin, None
        if admin is not None:
            await close_admin(admin)

    def _most(self) -> int:
        return max((sum(size for _, size in sent) for sent in self._ahead.values()), default=0)

    async def _read_progress(self) -> None:
        committed: dict[tuple[str, int], list[int]] = defaultdict(list)
        try:
            async with asyncio.timeout(5):
                admin = self._admin or await self._connect()
                for topic, readers in self._readers.items():
                    partitions = [p for t, p in self._ahead if t == topic]
                    for group in readers:
                        await self._committed(admin, topic, partitions, group, committed)
        except (KafkaError, OSError, TimeoutError) as error:
            telemetry.logger().info("readers_unknown", reason=repr(error))
            await self.close()
            return
        for (topic, partition), sent in self._ahead.items():
            reached = min(committed.get((topic, partition), [0]))
            while sent and sent[0][0] < reached:
                sent.popleft()

    async def _committed(
        self,
        admin: AIOKafkaAdminClient,
        topic: str,
        partitions: Sequence[int],
        group: str,
        into: dict[tuple[str, int], list[int]],
    ) -> None:
        prefix = self._settings.kafka_topic_prefix
        wanted = [TopicPartition(prefix + topic, partition) for partition in partitions]
        if wanted:
            offsets = await admin.list_consumer_group_offsets(prefix + group, partitions=wanted)
            for partition in wanted:
                at = offsets.get(partition)
                into[topic, partition.partition].append(at.offset if at is not None else -1)

    async def _connect(self) -> AIOKafkaAdminClient:
        self._admin = AIOKafkaAdminClient(**options(self._settings, "assent-pace"))
        await start(self._admin)
        return self._admin
