"""How any client of ours reaches the brokers."""

import asyncio
from collections.abc import Iterable
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import IncompatibleBrokerVersion, KafkaError, TopicAlreadyExistsError

from assent_common import telemetry
from assent_common.kafka import tls
from assent_common.kafka.disposal import close_admin, start
from assent_common.kafka.reasons import why
from assent_common.kafka.topics import Topic
from assent_common.settings import Settings

DEAD_LETTER_RETENTION_MS = 90 * 24 * 3600 * 1000
#: Whatever fits into any topic fits into it with the reason added.
DEAD_LETTER_MAX_BYTES = 4 * 1024 * 1024
ANSWER_WITHIN_S = 10.0


class BrokerUnavailable(Exception):
    """The broker did not take or answer it in time. Nothing is known to be lost; try again later."""


def options(settings: Settings, client: str) -> dict[str, Any]:
    """Keyword arguments that every aiokafka client takes: no client of ours is made without them.

    Certificates are read anew for each client, so that a file that was replaced holds from the next one on.
    """
    user, password = settings.kafka_sasl_username, settings.kafka_sasl_password
    return {
        "bootstrap_servers": settings.kafka_bootstrap_servers,
        "client_id": client,
        "security_protocol": settings.kafka_security_protocol,
        "ssl_context": tls.context(settings) if "SSL" in settings.kafka_security_protocol else None,
        "sasl_mechanism": settings.kafka_sasl_mechanism,
        "sasl_plain_username": user.get_secret_value() if user else None,
        "sasl_plain_password": password.get_secret_value() if password else None,
        "request_timeout_ms": 10_000,
        "metadata_max_age_ms": 30_000,
    }


async def ensure_topics(settings: Settings, topics: Iterable[Topic]) -> None:
    """Create the topics that are not there. Raises BrokerUnavailable, which says what it is that hinders us.

    A broker that takes no such orders, the embedded one or one that does not let us, has them or makes them when they
    are first written to.
    """
    try:
        given = options(settings, "assent-admin")
    except OSError as error:
        raise BrokerUnavailable(f"a file of ASSENT_KAFKA_SSL_CAFILE and those beside it: {error!r}") from error
    admin = AIOKafkaAdminClient(**given)
    try:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            await start(admin)
            cluster = await admin.describe_cluster()
            if cluster["controller_id"] not in {broker["node_id"] for broker in cluster["brokers"]}:
                # The embedded broker names none, which aiokafka finds out only by falling over it.
                return
            present = set(await admin.list_topics())
            replicas = settings.kafka_replication_factor or min(3, len(cluster["brokers"]))
            for topic in topics:
                name = topic.full_name(settings.kafka_topic_prefix)
                if name not in present:
                    await _create(admin, topic, name, settings.kafka_partitions, replicas)
    except (KafkaError, OSError, TimeoutError) as error:
        raise BrokerUnavailable(await why(settings, given, error)) from error
    finally:
        await close_admin(admin)


async def _create(admin: AIOKafkaAdminClient, topic: Topic, name: str, partitions: int, replicas: int) -> None:
    keep = _kept_for_ever() if topic.for_ever else _compacted() if topic.compacted else _dead_letters()
    new = NewTopic(name, partitions if topic.compacted else 1, replicas, topic_configs=keep)
    try:
        answer = await admin.create_topics([new])
    except IncompatibleBrokerVersion as error:
        telemetry.logger().info("topic_not_created", topic=name, reason=repr(error))
        return
    refused = [error for error in answer.topic_errors if error[1] not in (0, TopicAlreadyExistsError.errno)]
    if refused:
        telemetry.logger().warning("topic_not_created", topic=name, reason=str(refused))
    else:
        telemetry.logger().info("topic_created", topic=name)


def _compacted() -> dict[str, str]:
    return {"cleanup.policy": "compact", "max.compaction.lag.ms": str(24 * 3600 * 1000)}


def _kept_for_ever() -> dict[str, str]:
    return {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}


def _dead_letters() -> dict[str, str]:
    return {
        "cleanup.policy": "delete",
        "retention.ms": str(DEAD_LETTER_RETENTION_MS),
        "max.message.bytes": str(DEAD_LETTER_MAX_BYTES),
    }
