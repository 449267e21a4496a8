"""Kafka: whether it answers, keeps the topics as they must be kept, and whether every reader is at their end."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import timedelta
from ipaddress import ip_address
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.conn import collect_hosts
from aiokafka.errors import GroupCoordinatorNotAvailableError, KafkaError
from aiokafka.structs import OffsetAndMetadata
from assent_common.clock import SystemClock
from assent_common.kafka import reasons, topics
from assent_common.kafka.connection import options
from assent_common.kafka.disposal import close_admin
from assent_common.kafka.reasons import why
from assent_common.kafka.topics import Topic
from assent_common.settings import Settings

from assent_local.doctor.finding import Finding, fine, noted, unknown, wrong

ANSWER_WITHIN_S = 15
AGAIN_IN_S = 0.2
BEHIND = 500
RENEW_WITHIN = timedelta(days=14)
SERVICES = {topics.CATALOG_API: "catalog-api", topics.WORKFLOW: "workflow", topics.CONNECTOR: "sagemaker-connector"}


async def look(settings: Settings) -> AsyncIterator[Finding]:
    given = options(settings, "assent-doctor")
    admin, reader = AIOKafkaAdminClient(**given), AIOKafkaConsumer(**given)
    async for finding in _secured(settings):
        yield finding
    try:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            await admin.start()
            await reader.start()
            cluster = await admin.describe_cluster()
            # Not `partitions_for_topic` of a reader: it knows of topics that it reads.
            present = {each["topic"]: len(each["partitions"]) for each in await admin.describe_topics()}
        yield fine("kafka", settings.kafka_bootstrap_servers, f"{len(cluster['brokers'])} brokers answer")
        for topic in topics.ALL:
            name = topic.full_name(settings.kafka_topic_prefix)
            if name in present:
                yield await _kept(admin, cluster, topic, name)
            else:
                do = "The service that writes to it makes it, if it may: see its log for `topic_not_created`."
                yield noted("topic", name, "is not there yet", do)
        async for finding in _readers(admin, reader, present, settings.kafka_topic_prefix):
            yield finding
        async for finding in _dead_letters(reader, present, settings.kafka_topic_prefix):
            yield finding
    except (KafkaError, OSError, TimeoutError) as error:
        do = "See that the brokers run, and that ASSENT_KAFKA_BOOTSTRAP_SERVERS and the security settings are theirs."
        says = await why(settings, given, error)
        yield wrong("kafka", settings.kafka_bootstrap_servers, says, do, "AssentEventsNotPublished")
    finally:
        await close_admin(admin)
        await reader.stop()


async def _secured(settings: Settings) -> AsyncIterator[Finding]:
    """Whether what is told can be read on the way, and for how long the brokers' certificates are good."""
    servers, protocol = settings.kafka_bootstrap_servers, settings.kafka_security_protocol
    hosts = [(host, port) for host, port, _ in collect_hosts(servers)]
    if "SSL" not in protocol:
        if all(_is_here(host) for host, _ in hosts):
            yield fine("encryption", servers, f"{protocol}, and it does not leave this machine")
        else:
            do = "Set ASSENT_KAFKA_SECURITY_PROTOCOL to SSL or SASL_SSL: docs/how-to/connect-kafka.md"
            yield noted("encryption", servers, f"{protocol}: whoever is on the way reads and changes what is told", do)
        return
    for host, port in hosts:
        ends = await reasons.certificate_ends(settings, host, port)
        if ends is None:
            # `kafka` says why.
            continue
        left = ends - SystemClock().now()
        says = f"{protocol}; its certificate is good until {ends:%Y-%m-%d %H:%M} UTC"
        if left > RENEW_WITHIN:
            yield fine("encryption", f"{host}:{port}", says)
        else:
            do = "Renew it: with one that has run out, nothing is published and nothing read."
            yield noted("encryption", f"{host}:{port}", says, do)


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def _kept(admin: AIOKafkaAdminClient, cluster: Any, topic: Topic, name: str) -> Finding:
    if cluster["controller_id"] not in {broker["node_id"] for broker in cluster["brokers"]}:
        # The embedded broker tells of no settings.
        return unknown("topic", name, "this broker does not say how it keeps it")
    async with asyncio.timeout(ANSWER_WITHIN_S):
        answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
    kept = {entry[0]: entry[1] for answer in answers for resource in answer.resources for entry in resource[4]}
    expected = {"cleanup.policy": "compact"} if topic.compacted else {"cleanup.policy": "delete", "retention.ms": "-1"}
    off = {key: kept.get(key) for key, value in expected.items() if kept.get(key) != value}
    if not off:
        return fine("topic", name, f"is kept as it must be: {_words(expected)}")
    lost = "keeps everything for ever" if topic.compacted else "lets go of audit checkpoints"
    do = f"kafka-configs.sh --alter --entity-type topics --entity-name {name} --add-config {_words(expected, ',')}"
    return wrong("topic", name, f"has {_words(off)}, and so {lost}", do)


async def _readers(
    admin: AIOKafkaAdminClient, reader: AIOKafkaConsumer, present: Mapping[str, int], prefix: str
) -> AsyncIterator[Finding]:
    for group, service in SERVICES.items():
        read = [topic.full_name(prefix) for topic in topics.ALL if group in topic.readers]
        partitions = _partitions(present, read)
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                ends = await reader.end_offsets(partitions) if partitions else {}
                begins = await reader.beginning_offsets(partitions) if partitions else {}
                at = await _read_up_to(admin, prefix + group) if partitions else {}
        except (KafkaError, OSError, TimeoutError) as error:
            yield unknown("lag", service, f"cannot be told: {error!r}")
            continue
        behind = 0
        for partition, end in ends.items():
            position = at[partition].offset if partition in at and at[partition].offset >= 0 else begins[partition]
            behind += max(0, end - position)
        says = f"{behind} events are not read yet"
        if behind <= BEHIND:
            yield fine("lag", service, says)
        else:
            do = f"See `kafka:{group}` in /health/ready of {service}: stopped, failing, or only busy."
            yield wrong("lag", service, says, do, "AssentConsumerBehind")


async def _read_up_to(admin: AIOKafkaAdminClient, group: str) -> Mapping[TopicPartition, OffsetAndMetadata]:
    """A cluster where no group ever read has nobody who knows, and makes him when it is asked."""
    while True:
        try:
            known: Mapping[TopicPartition, OffsetAndMetadata] = await admin.list_consumer_group_offsets(group)
            return known
        except GroupCoordinatorNotAvailableError:
            await asyncio.sleep(AGAIN_IN_S)


async def _dead_letters(reader: AIOKafkaConsumer, present: Mapping[str, int], prefix: str) -> AsyncIterator[Finding]:
    for group, service in SERVICES.items():
        partitions = _partitions(present, [topics.dead_letters_of(group).full_name(prefix)])
        async with asyncio.timeout(ANSWER_WITHIN_S):
            ends = await reader.end_offsets(partitions) if partitions else {}
            begins = await reader.beginning_offsets(partitions) if partitions else {}
        letters = sum(end - begins[partition] for partition, end in ends.items())
        if letters:
            do = f"`assent dlq list {service}` says why; `assent dlq redrive {service}` once that is mended."
            yield wrong("dead letters", service, f"{letters} events could not be applied", do, "AssentDeadLetters")
        else:
            yield fine("dead letters", service, "there are none")


def _partitions(present: Mapping[str, int], names: Iterable[str]) -> list[TopicPartition]:
    return [TopicPartition(name, partition) for name in names for partition in range(present.get(name, 0))]


def _words(settings: dict[str, Any], between: str = ", ") -> str:
    return between.join(f"{key}={value}" for key, value in settings.items())
