"""How any client of ours reaches the brokers."""

import ssl
from collections.abc import Iterable
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError

from assent_common import telemetry
from assent_common.kafka.topics import Topic
from assent_common.settings import Settings

DEAD_LETTER_RETENTION_MS = 90 * 24 * 3600 * 1000


class BrokerUnavailable(Exception):
    """The broker did not take or answer it in time. Nothing is known to be lost; try again later."""


def options(settings: Settings, client: str) -> dict[str, Any]:
    """Keyword arguments that every aiokafka client takes."""
    password = settings.kafka_sasl_password
    return {
        "bootstrap_servers": settings.kafka_bootstrap_servers,
        "client_id": client,
        "security_protocol": settings.kafka_security_protocol,
        "ssl_context": ssl.create_default_context(cafile=settings.kafka_ssl_cafile)
        if "SSL" in settings.kafka_security_protocol
        else None,
        "sasl_mechanism": settings.kafka_sasl_mechanism,
        "sasl_plain_username": settings.kafka_sasl_username,
        "sasl_plain_password": password.get_secret_value() if password else None,
        "request_timeout_ms": 10_000,
        "metadata_max_age_ms": 30_000,
    }


async def ensure_topics(settings: Settings, topics: Iterable[Topic]) -> None:
    """Create the topics that are not there. A broker without an admin API makes them when they are first written to."""
    admin = AIOKafkaAdminClient(**options(settings, "assent-admin"))
    try:
        await admin.start()
        present = set(await admin.list_topics())
        brokers = len((await admin.describe_cluster())["brokers"])
        replicas = settings.kafka_replication_factor or min(3, brokers)
        for topic in topics:
            name = topic.full_name(settings.kafka_topic_prefix)
            if name not in present:
                await _create(admin, topic, name, settings.kafka_partitions, replicas)
    except (KafkaError, OSError) as error:
        # No reason to stop: where the topic is missing indeed, whoever uses it will be told so by the broker.
        telemetry.logger().info("topics_not_created", reason=repr(error))
    finally:
        await admin.close()


async def _create(admin: AIOKafkaAdminClient, topic: Topic, name: str, partitions: int, replicas: int) -> None:
    keep = (
        {"cleanup.policy": "compact", "max.compaction.lag.ms": str(24 * 3600 * 1000)}
        if topic.compacted
        else {"cleanup.policy": "delete", "retention.ms": str(DEAD_LETTER_RETENTION_MS)}
    )
    new = NewTopic(name, partitions if topic.compacted else 1, replicas, topic_configs=keep)
    try:
        answer = await admin.create_topics([new])
    except TopicAlreadyExistsError:
        return
    refused = [error for error in answer.topic_errors if error[1] not in (0, TopicAlreadyExistsError.errno)]
    if refused:
        telemetry.logger().warning("topic_not_created", topic=name, reason=str(refused))
    else:
        telemetry.logger().info("topic_created", topic=name)
