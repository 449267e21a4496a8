"""What cannot be applied is put aside with the reason, and the rest flows."""

from typing import NamedTuple

from aiokafka import ConsumerRecord

from assent_common import metrics, telemetry
from assent_common.kafka.producer import Message, Publisher
from assent_common.kafka.topics import dead_letters_of
from assent_common.settings import Settings
from assent_common.supervise import GivenUp

MAX_CONSECUTIVE = 500


class DeadLetter(NamedTuple):
    record: ConsumerRecord
    error: Exception


class TooManyDeadLetters(GivenUp):
    """So many in a row that the fault is likely ours: stop rather than empty the topic into the dead letters."""


class DeadLetters:
    """The dead-letter topic of one consumer group.

    Key and value stay byte for byte; the reason and the origin are headers (as in Kafka Connect, KIP-298).
    """

    def __init__(self, settings: Settings, group: str, *, service_version: str) -> None:
        self.topic = dead_letters_of(group)
        self._full_name = self.topic.full_name(settings.kafka_topic_prefix)
        self._publisher = Publisher(settings, f"{group}-dlq")
        self._version = service_version
        self._consecutive = 0

    def applied(self) -> None:
        """Something could be applied: not everything is wrong."""
        self._consecutive = 0

    async def put_aside(self, letters: list[DeadLetter]) -> None:
        """Returns once the broker has them, so that their offsets may be committed.

        Raises BrokerUnavailable, or TooManyDeadLetters after 500 in a row with nothing applied between.
        """
        if not letters:
            return
        self._consecutive += len(letters)
        if self._consecutive > MAX_CONSECUTIVE:
            raise TooManyDeadLetters(f"{self._consecutive} events in a row could not be applied: {letters[-1].error}")
        await self._publisher.publish([self._message(letter) for letter in letters])
        for record, error in letters:
            metrics.DEAD_LETTERS.labels(record.topic).inc()
            telemetry.logger().warning(
                "dead_letter",
                reason=str(error),
                topic=record.topic,
                partition=record.partition,
                offset=record.offset,
                dead_letter_topic=self._full_name,
            )

    async def close(self) -> None:
        await self._publisher.close()

    def _message(self, letter: DeadLetter) -> Message:
        record, error = letter
        reason = {
            "class": type(error).__name__,
            "message": str(error)[:4000],
            "topic": record.topic,
            "partition": str(record.partition),
            "offset": str(record.offset),
            "service_version": self._version,
        }
        headers = [(f"assent.error.{name}", value.encode(errors="replace")) for name, value in reason.items()]
        return Message(self._full_name, record.key, record.value, [*(record.headers or ()), *headers])
