"""The duties of a service that keeps what others tell: the consumer, and the watch that finds what never arrived."""

from collections.abc import Sequence

from assent_common.census import Watch
from assent_common.kafka.consumer import Apply, Consumer
from assent_common.kafka.topics import Topic
from assent_common.service import VERSION, Runtime
from assent_common.supervise import Duty


def duties(
    made: Runtime, *, group: str, topics: Sequence[Topic], apply: Apply, held: str, lanes: int = 1
) -> dict[str, Duty]:
    """`held` is a statement that answers with source, kind, live, sequences of what the service holds.

    Without `ASSENT_SERVICE_CLIENT_ID` or `ASSENT_SERVICE_TOKEN` the connector cannot be asked for what is lacking, and
    nobody watches.
    """
    settings = made.settings
    consumer = Consumer(
        settings,
        made.database,
        made.health,
        group=group,
        topics=topics,
        apply=apply,
        service_version=VERSION,
        lanes=lanes,
    )
    if made.service_token is None:
        return {"consumer": consumer.run}
    watch = Watch(
        made.database, made.among_ourselves, held=held, connector_url=settings.connector_url, token=made.service_token
    )
    return {"consumer": consumer.run, "census": watch.run}
