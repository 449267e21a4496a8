"""CloudEvents 1.0 in structured mode: one JSON document, envelope and payload together.

An event is built once, where the state changes, and travels as those bytes: outbox, broker and replay pass on
exactly what was committed.
"""

import re
from functools import cached_property
from typing import Annotated, Any, Literal

import orjson
from pydantic import Field, ValidationError

from assent_common import ids, strict_json
from assent_common.clock import to_utc
from assent_common.events import audit, catalog, governance, registry
from assent_common.events.model import Payload, UtcTime, rfc3339

CONTENT_TYPE = "application/cloudevents+json"
DATASCHEMA = "https://assent.dev/schemas/{type}.json"

TYPES: dict[str, type[Payload]] = {**registry.TYPES, **catalog.TYPES, **governance.TYPES, **audit.TYPES}

#: `traceparent` of W3C Trace Context.
_TRACEPARENT = re.compile(r"^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$")

MAX_DEPTH = 64

MAX_BYTES = 1_000_000
"""What the broker takes by default (`max.message.bytes`). A producer of larger state must trim it."""


class UnreadableEvent(ValueError):
    """The bytes are no event of ours, or one whose payload breaks its schema."""


class UnknownEventType(UnreadableEvent):
    """A well-formed CloudEvent of a type that this release does not know: to be skipped and counted (R11)."""


class CloudEvent(Payload):
    """An event: the whole state of one entity, and the `sequence` that grows with each change of it."""

    specversion: Literal["1.0"] = "1.0"
    id: Annotated[str, Field(min_length=1)]
    #: The service that says so: `/assent/sagemaker-connector`.
    source: Annotated[str, Field(min_length=1)]
    type: Annotated[str, Field(min_length=1)]
    #: The entity: its urn or id. Also the Kafka key.
    subject: Annotated[str, Field(min_length=1)]
    time: UtcTime
    datacontenttype: Literal["application/json"] = "application/json"
    dataschema: str
    #: A decimal number as a string, as the CloudEvents `sequence` extension has it.
    sequence: Annotated[str, Field(pattern=r"^[0-9]{1,18}$")]
    correlationid: str | None = None
    traceparent: str | None = None
    data: dict[str, Any]

    @property
    def number(self) -> int:
        return int(self.sequence)

    @cached_property
    def payload(self) -> Payload:
        """The payload as its own type. Raises UnknownEventType, or UnreadableEvent naming the field at fault."""
        model = TYPES.get(self.type)
        if model is None:
            raise UnknownEventType(f"unknown event type {self.type!r}")
        try:
            return model.model_validate(self.data)
        except ValidationError as error:
            raise UnreadableEvent(_first(error, "data")) from error


def create(
    *,
    source: str,
    type: str,
    subject: str,
    sequence: int,
    time: UtcTime,
    data: Payload,
    correlation_id: str | None = None,
    traceparent: str | None = None,
) -> CloudEvent:
    """The event in the bytes that `body` makes."""
    return from_bytes(
        body(
            source=source,
            type=type,
            subject=subject,
            sequence=sequence,
            time=time,
            data=data,
            correlation_id=correlation_id,
            traceparent=traceparent,
        )
    )


def body(
    *,
    source: str,
    type: str,
    subject: str,
    sequence: int,
    time: UtcTime,
    data: Payload,
    correlation_id: str | None = None,
    traceparent: str | None = None,
) -> bytes:
    """As it travels. What is written by the thousand is not read back first."""
    if TYPES.get(type) is not data.__class__:
        raise TypeError(f"{data.__class__.__name__} is not the payload of {type}")
    if not subject or not 0 <= sequence < 10**18:
        raise ValueError(f"no event: {type} of {subject[:200]!r} with the sequence {sequence}")
    head = {
        "specversion": "1.0",
        "id": str(ids.new()),
        "source": source,
        "type": type,
        "subject": subject,
        "time": rfc3339(to_utc(time)),
        "datacontenttype": "application/json",
        "dataschema": DATASCHEMA.format(type=type),
        "sequence": str(sequence),
    }
    if correlation_id is not None:
        head["correlationid"] = correlation_id
    if traceparent is not None:
        head["traceparent"] = traceparent
    said = orjson.dumps(head)
    return b'%b,"data":%b}' % (said[:-1], data.model_dump_json().encode())


def to_bytes(event: CloudEvent) -> bytes:
    return event.model_dump_json(exclude_none=True).encode()


def from_bytes(message: bytes | None) -> CloudEvent:
    """The event in the bytes. Raises UnreadableEvent with the reason: not JSON, not CloudEvents, a field at fault."""
    if not message:
        raise UnreadableEvent("empty message")
    try:
        event = CloudEvent.model_validate(strict_json.loads(message, max_depth=MAX_DEPTH))
    except ValidationError as error:
        raise UnreadableEvent(_first(error, "event")) from error
    except ValueError as error:
        raise UnreadableEvent(f"event: {error}") from error
    if event.traceparent is not None and not _TRACEPARENT.match(event.traceparent):
        return event.model_copy(update={"traceparent": None})
    return event


def _first(error: ValidationError, root: str) -> str:
    problem = error.errors(include_input=False, include_url=False)[0]
    return ".".join([root, *map(str, problem["loc"])]) + ": " + problem["msg"]
