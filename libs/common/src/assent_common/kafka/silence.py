"""How long no broker has answered a consumer. aiokafka asks for ever, and may come to ask nothing any more without a
word: whoever waits for it then waits until his process ends, and says that all is well."""

import asyncio
from collections.abc import Collection

from aiokafka import AIOKafkaConsumer, TopicPartition

from assent_common.kafka.connection import BrokerUnavailable

#: A broker answers ten times a second, though it has nothing.
HEARS_WITHIN_S = 30.0
#: To join a group takes as long as its other members take. More of them than partitions join again and again, in vain.
ASSIGNED_WITHIN_S = 120.0

_Heard = tuple[int | None, float]
"""When it was polled last, as aiokafka has it, and since when we know."""


class Silence:
    """Of one consumer, from now on."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        *,
        hears_within_s: float = HEARS_WITHIN_S,
        assigned_within_s: float = ASSIGNED_WITHIN_S,
    ) -> None:
        self._consumer = consumer
        self._hears_within_s = hears_within_s
        self._assigned_within_s = assigned_within_s
        self._heard: dict[TopicPartition, _Heard] = {}
        self._assigned_at = asyncio.get_running_loop().time()

    def listen(self, fetched: Collection[TopicPartition]) -> None:
        """After each fetch, which brought something of these. Raises BrokerUnavailable if one of the others was not
        heard of for too long, or there are none: another consumer may fare better."""
        now = asyncio.get_running_loop().time()
        self._heard = {each: self._of(each, fetched, now) for each in self._consumer.assignment()}
        if self._heard:
            self._assigned_at = now
        elif now - self._assigned_at > self._assigned_within_s:
            raise BrokerUnavailable(f"for {self._assigned_within_s:g} s it was given nothing to read")
        # What is fetched and not yet handed out is not asked for again.
        if not fetched and any(now - at > self._hears_within_s for _, at in self._heard.values()):
            raise BrokerUnavailable(f"for {self._hears_within_s:g} s no broker has answered")

    def _of(self, partition: TopicPartition, fetched: Collection[TopicPartition], now: float) -> _Heard:
        polled = self._consumer.last_poll_timestamp(partition)
        before = self._heard.get(partition)
        return before if before and before[0] == polled and partition not in fetched else (polled, now)
