"""Whoever waits for what no broker sends any more is told so."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaConsumer
from assent_common.events import envelope
from assent_common.kafka import topics
from assent_common.kafka.connection import BrokerUnavailable, ensure_topics
from assent_common.kafka.silence import Silence
from assent_common.settings import Settings

from tests.common.world import an_event, send
from tests.support.wait import until

#: Longer than any test.
FOREVER_S = 3600.0


@asynccontextmanager
async def a_member(settings: Settings, *, subscribes: bool = True) -> AsyncIterator[AIOKafkaConsumer]:
    member = AIOKafkaConsumer(
        *([topics.REGISTRY.full_name(settings.kafka_topic_prefix)] if subscribes else []),
        bootstrap_servers=settings.kafka_bootstrap_servers,
        group_id=f"{settings.kafka_topic_prefix}silence",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        fetch_max_wait_ms=100,
    )
    await member.start()
    try:
        yield member
    finally:
        await member.stop()


async def test_one_partition_that_is_not_heard_of_is_enough(settings: Settings) -> None:
    await ensure_topics(settings, [topics.REGISTRY])
    async with a_member(settings) as member:
        await until(lambda: heard_of_all(member), within_s=30)
        member.pause(min(member.assignment()))
        silence = Silence(member, hears_within_s=2, assigned_within_s=FOREVER_S)
        with pytest.raises(BrokerUnavailable, match="no broker has answered"):
            await _listen(silence, member)


async def test_who_is_given_nothing_to_read_begins_anew(settings: Settings) -> None:
    # As a member is that the others left nothing for.
    async with a_member(settings, subscribes=False) as member:
        silence = Silence(member, hears_within_s=FOREVER_S, assigned_within_s=1)
        with pytest.raises(BrokerUnavailable, match="nothing to read"):
            await _listen(silence)


async def test_what_waits_to_be_handed_out_is_no_silence(settings: Settings) -> None:
    await ensure_topics(settings, [topics.REGISTRY])
    events = [(f"model-{n}".encode(), envelope.to_bytes(an_event(f"model-{n}", 1))) for n in range(60)]
    await send(settings, topics.REGISTRY, events, by_key=True)
    async with a_member(settings) as member:
        await until(lambda: heard_of_all(member), within_s=30)
        silence = Silence(member, hears_within_s=0, assigned_within_s=FOREVER_S)
        handed_out = 0
        while handed_out < len(events):
            # One by one, so that two partitions of three have waited for longer than nothing each time.
            fetched = await member.getmany(timeout_ms=30_000, max_records=1)
            silence.listen(fetched)
            handed_out += sum(map(len, fetched.values()))


async def heard_of_all(member: AIOKafkaConsumer) -> bool:
    given = member.assignment()
    return bool(given) and all(member.last_poll_timestamp(each) for each in given)


async def _listen(silence: Silence, member: AIOKafkaConsumer | None = None) -> None:
    """Until it is too long."""
    async with asyncio.timeout(60):
        while True:
            silence.listen(await member.getmany(timeout_ms=100) if member else {})
            await asyncio.sleep(0)
