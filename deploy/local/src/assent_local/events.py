"""`assent events tail`: what is told, as it is told."""

import json

from aiokafka import AIOKafkaConsumer
from assent_common.events import envelope
from assent_common.events.envelope import UnreadableEvent
from assent_common.kafka import topics
from assent_common.kafka.connection import options
from assent_common.settings import Settings
from pydantic import SecretStr
from rich.console import Console
from rich.markup import escape


async def tail(out: Console, kafka: str, type_: str, *, from_start: bool, as_json: bool) -> None:
    settings = Settings(database_url=SecretStr("postgresql://unused"), kafka_bootstrap_servers=kafka)
    names = [topic.full_name(settings.kafka_topic_prefix) for topic in topics.ALL]
    start = "earliest" if from_start else "latest"
    reader = AIOKafkaConsumer(*names, **options(settings, "assent-cli"), auto_offset_reset=start)
    await reader.start()
    try:
        async for record in reader:
            try:
                event = envelope.from_bytes(record.value)
            except UnreadableEvent as error:
                out.print(f"[red]unreadable[/] {escape(str(error))}")
                continue
            if not event.type.startswith(type_):
                continue
            if as_json:
                print((record.value or b"").decode(), flush=True)  # noqa: T201
            else:
                what = json.dumps({k: v for k, v in event.data.items() if k in _TELLING}, ensure_ascii=False)
                kind = event.type.removeprefix("assent.")
                out.print(f"[dim]{event.time:%H:%M:%S}[/] [bold]{kind}[/] {escape(event.subject)} {escape(what)}")
    finally:
        await reader.stop()


_TELLING = ("name", "version", "status", "role", "reason", "source_approval_status", "metrics_status", "changed")
