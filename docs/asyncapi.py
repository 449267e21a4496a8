"""The events as an AsyncAPI 3.0 document: what tools make clients, mocks and pages of."""

from typing import Any

import yaml
from assent_common.events import audit, catalog, governance, registry
from assent_common.events.model import Payload
from assent_common.kafka import topics
from assent_common.kafka.topics import Topic
from assent_common.service import VERSION

EVENTS = {
    topics.REGISTRY: registry.TYPES,
    topics.CATALOG: catalog.TYPES,
    topics.GOVERNANCE: governance.TYPES,
    topics.AUDIT: audit.TYPES,
}
TOLD_BY = {
    topics.REGISTRY: "the sagemaker-connector tells",
    topics.CATALOG: "the catalog-api tells",
    topics.GOVERNANCE: "the workflow tells",
    topics.AUDIT: "every service bears witness to",
}
_SCHEMAS = "../../libs/common/src/assent_common/events/schemas"


def document() -> str:
    """As YAML."""
    described = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Assent",
            "version": VERSION,
            "license": {"name": "Apache-2.0"},
            "description": "What becomes of models, use cases and approvals. Each event carries the whole state of one "
            "entity and a `sequence` that grows with each of its states: apply only what is greater than yours.",
        },
        "defaultContentType": "application/cloudevents+json",
        "servers": {
            "kafka": {
                "host": "{brokers}",
                "protocol": "kafka",
                "description": "The company's own cluster.",
                "variables": {"brokers": {"default": "127.0.0.1:9092"}},
            }
        },
        "channels": {_channel(topic): _described(topic) for topic in EVENTS},
        "operations": {
            f"follow{_channel(topic).capitalize()}": {
                # Of who reads this document: he receives what Assent sends.
                "action": "receive",
                "channel": {"$ref": f"#/channels/{_channel(topic)}"},
                "summary": f"What {TOLD_BY[topic]}.",
            }
            for topic in EVENTS
        },
        "components": {
            "messages": {
                _message(type_): _message_of(type_, payload)
                for types in EVENTS.values()
                for type_, payload in types.items()
            }
        },
    }
    head = "# Made by `make docs` from the code; a test holds them equal.\n"
    return head + yaml.safe_dump(described, sort_keys=False, allow_unicode=True, width=120)


def _described(topic: Topic) -> dict[str, Any]:
    return {
        "address": topic.name,
        "description": "Compacted: the last event of each key is kept. The key is the event's subject."
        if topic.compacted
        else "Kept for ever, every event. The key is the event's subject.",
        "messages": {_message(type_): {"$ref": f"#/components/messages/{_message(type_)}"} for type_ in EVENTS[topic]},
        "bindings": {"kafka": {"topicConfiguration": {"cleanup.policy": ["compact" if topic.compacted else "delete"]}}},
    }


def _message_of(type_: str, payload: type[Payload]) -> dict[str, Any]:
    return {
        "name": type_,
        "title": (payload.__doc__ or "").strip().splitlines()[0],
        "contentType": "application/cloudevents+json",
        "headers": {
            "type": "object",
            "properties": {"content-type": {"const": "application/cloudevents+json"}},
            "required": ["content-type"],
        },
        "payload": {
            "allOf": [
                {"$ref": f"{_SCHEMAS}/cloudevent.json"},
                {"properties": {"type": {"const": type_}, "data": {"$ref": f"{_SCHEMAS}/{type_}.json"}}},
            ]
        },
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": "The subject: an urn, an id, a source's or a service's name"}
            }
        },
    }


def _channel(topic: Topic) -> str:
    """`assent.registry.v1` is `registry`."""
    return topic.name.split(".")[1]


def _message(type_: str) -> str:
    """`assent.registry.model_version.observed.v1` is `registry.model_version.observed`."""
    return type_.removeprefix("assent.").removesuffix(".v1")
