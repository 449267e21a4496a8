"""`assent dlq`: look at what a service put aside, and send it again once the reason is gone."""

import json

from aiokafka import ConsumerRecord
from assent_common.kafka.producer import Message, Publisher
from assent_common.kafka.topics import dead_letters_of
from assent_common.settings import Settings
from pydantic import SecretStr
from rich.console import Console
from rich.markup import escape

from assent_local import records

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
    return [letter async for letter in records.of_topic(settings, topic)]


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
