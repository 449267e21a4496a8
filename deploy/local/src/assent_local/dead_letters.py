"""`assent dlq`: look at what a service put aside, and send it again once the reason is gone."""

import asyncio
import json

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from assent_common.kafka.connection import options
from assent_common.kafka.producer import Message, Publisher
from assent_common.kafka.topics import dead_letters_of
from assent_common.settings import Settings
from pydantic import SecretStr
from rich.console import Console
from rich.markup import escape

PREFIX = "assent.error."


async def show(out: Console, kafka: str, consumer: str, *, prefix: str, as_json: bool) -> None:
    letters = await _read(_settings(kafka, prefix), consumer)
    for letter in letters:
        reason = _reason(letter)
        if as_json:
            key = (letter.key or b"").decode(errors="replace")
            line = {
                "offset": letter.offset,
                "key": key,
                **reason,
                "value": (letter.value or b"").decode(errors="replace"),
            }
            print(json.dumps(line))  # noqa: T201
        else:
            topic, message = escape(reason.get("topic", "?")), escape(reason.get("message", "?"))
            out.print(f"[bold]{letter.offset}[/] {topic} [red]{message}[/]")
            out.print(f"   [dim]{escape((letter.value or b'')[:200].decode(errors='replace'))}[/]")
    if not as_json:
        out.print(f"{len(letters)} dead letters")


async def redrive(out: Console, kafka: str, consumer: str, *, prefix: str) -> None:
    settings = _settings(kafka, prefix)
    letters = await _read(settings, consumer)
    publisher = Publisher(settings, "assent-redrive")
    try:
        messages = [
            Message(topic, letter.key, letter.value, [h for h in letter.headers if not h[0].startswith(PREFIX)])
            for letter in letters
            if (topic := _reason(letter).get("topic"))
        ]
        await publisher.publish(messages, deadline_s=30)
    finally:
        await publisher.close()
    out.print(f"{len(messages)} sent again")


async def _read(settings: Settings, consumer: str) -> list[ConsumerRecord]:
    topic = dead_letters_of(consumer).full_name(settings.kafka_topic_prefix)
    reader = AIOKafkaConsumer(**options(settings, "assent-cli"), auto_offset_reset="earliest")
    letters: list[ConsumerRecord] = []
    await reader.start()
    try:
        if topic not in await reader.topics():
            return letters
        partitions = [TopicPartition(topic, p) for p in reader.partitions_for_topic(topic) or ()]
        reader.assign(partitions)
        await reader.seek_to_beginning()
        async with asyncio.timeout(60):
            for partition, end in (await reader.end_offsets(partitions)).items():
                while await reader.position(partition) < end:
                    for records in (await reader.getmany(partition, timeout_ms=500)).values():
                        letters += records
    finally:
        await reader.stop()
    return letters


def _settings(kafka: str, prefix: str) -> Settings:
    # Security settings come from the environment, as for the services. No database is touched.
    return Settings(
        database_url=SecretStr("postgresql://unused"), kafka_bootstrap_servers=kafka, kafka_topic_prefix=prefix
    )


def _reason(letter: ConsumerRecord) -> dict[str, str]:
    return {
        name.removeprefix(PREFIX): value.decode(errors="replace")
        for name, value in letter.headers
        if name.startswith(PREFIX)
    }
