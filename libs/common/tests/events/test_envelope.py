"""An event travels as bytes, and is on arrival what it was."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from assent_common.events import envelope, registry
from assent_common.events.envelope import UnknownEventType, UnreadableEvent
from assent_common.events.model import Payload
from cloudevents.core.formats.json import JSONFormat
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

OBSERVED = "assent.registry.model.observed.v1"
NOON = datetime(2026, 6, 1, 12, 0, 0, 123456, tzinfo=UTC)

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
numbers = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
moments = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@st.composite
def payloads(draw: st.DrawFn) -> tuple[str, Payload]:
    """A payload of any type, as its JSON Schema allows it."""
    type_ = draw(st.sampled_from(sorted(envelope.TYPES)))
    model = envelope.TYPES[type_]
    schema = model.model_json_schema(mode="validation")
    return type_, model.model_validate(draw(_values(schema, schema.get("$defs", {}))))


def _values(schema: dict[str, Any], known: dict[str, Any]) -> st.SearchStrategy[Any]:
    if "$ref" in schema:
        return _values(known[schema["$ref"].rpartition("/")[2]], known)
    if "anyOf" in schema:
        return st.one_of([_values(each, known) for each in schema["anyOf"]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema.get("type"), schema.get("format"):
        case "object", _ if "properties" in schema:
            fields = {name: _values(each, known) for name, each in schema["properties"].items()}
            required = {name: fields.pop(name) for name in schema.get("required", ())}
            return st.fixed_dictionaries(required, optional=fields)
        case "object", _:
            keys = _values(schema.get("propertyNames", {"type": "string"}), known)
            inner = schema.get("additionalProperties", True)
            return st.dictionaries(keys, json_values if inner is True else _values(inner, known), max_size=3)
        case "array", _:
            return st.lists(_values(schema["items"], known), max_size=3)
        case "string", "date-time":
            return moments
        case "string", "uuid":
            return st.uuids()
        case "string", _:
            return texts
        case "integer", _:
            return st.integers(-(2**53), 2**53)
        case "number", _:
            return st.floats(allow_nan=False, allow_infinity=False)
        case "boolean", _:
            return st.booleans()
        case "null", _:
            return st.none()
    return json_values


@given(payloads(), st.integers(0, 10**18 - 1), texts.filter(bool), moments)
def test_it_comes_back_as_it_went(what: tuple[str, Payload], sequence: int, subject: str, time: datetime) -> None:
    type_, payload = what
    event = envelope.create(
        source="/assent/tests", type=type_, subject=subject, sequence=sequence, time=time, data=payload
    )
    body = envelope.to_bytes(event)
    back = envelope.from_bytes(body)
    assert back == event
    assert (back.number, back.payload) == (sequence, payload)
    assert envelope.to_bytes(back) == body

    oracle = JSONFormat().read(None, body)
    assert (oracle.get_id(), oracle.get_type(), oracle.get_source()) == (event.id, type_, "/assent/tests")
    assert (oracle.get_subject(), oracle.get_time(), oracle.get_specversion()) == (subject, time, "1.0")
    assert oracle.get_extension("sequence") == str(sequence)
    assert oracle.get_data() == event.data


@given(payloads(), st.integers(0, 10**18 - 1), texts.filter(bool), moments, st.none() | texts.filter(bool))
def test_what_is_written_at_once_is_what_would_be_made_first(
    what: tuple[str, Payload], sequence: int, subject: str, time: datetime, correlation: str | None
) -> None:
    type_, payload = what
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" if correlation else None
    written = envelope.body(
        source="/assent/tests",
        type=type_,
        subject=subject,
        sequence=sequence,
        time=time,
        data=payload,
        correlation_id=correlation,
        traceparent=parent,
    )
    event = envelope.create(
        source="/assent/tests",
        type=type_,
        subject=subject,
        sequence=sequence,
        time=time,
        data=payload,
        correlation_id=correlation,
        traceparent=parent,
    )
    back = envelope.from_bytes(written)
    assert back.model_copy(update={"id": event.id}) == event
    assert written == envelope.to_bytes(event.model_copy(update={"id": back.id}))


def an_event(**changes: Any) -> bytes:
    document = {
        "specversion": "1.0",
        "id": "1",
        "source": "/x",
        "type": OBSERVED,
        "subject": "churn",
        "time": "2026-06-01T14:00:00+02:00",
        "dataschema": envelope.DATASCHEMA.format(type=OBSERVED),
        "sequence": "7",
        "data": {"urn": "churn", "source": "eu", "name": "churn", "created_at": "2026-06-01T12:00:00Z", "raw": None},
    } | changes
    return orjson.dumps({name: value for name, value in document.items() if value is not ...})


def test_times_are_kept_in_utc_to_the_microsecond() -> None:
    event = envelope.from_bytes(an_event(time="2026-06-01T14:00:00.123456+02:00"))
    assert event.time == NOON
    assert orjson.loads(envelope.to_bytes(event))["time"] == "2026-06-01T12:00:00.123456Z"


@pytest.mark.parametrize("field", ["id", "source", "type", "subject", "time", "sequence", "data", "dataschema"])
def test_a_field_that_lacks_is_named(field: str) -> None:
    with pytest.raises(UnreadableEvent, match=rf"^event\.{field}: Field required$"):
        envelope.from_bytes(an_event(**{field: ...}))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sequence", "-1"),
        ("sequence", "1.5"),
        ("sequence", 7),
        ("sequence", "9" * 19),
        ("time", "2026-06-01T12:00:00"),
        ("specversion", "0.3"),
        ("datacontenttype", "text/xml"),
        ("data", "text"),
        ("subject", ""),
    ],
)
def test_a_field_that_is_wrong_is_named(field: str, value: object) -> None:
    with pytest.raises(UnreadableEvent, match=rf"^event\.{field}: "):
        envelope.from_bytes(an_event(**{field: value}))


def test_a_field_of_the_payload_that_is_wrong_is_named() -> None:
    event = envelope.from_bytes(an_event(data={"urn": "x", "source": "y", "name": "z", "created_at": "soon"}))
    with pytest.raises(UnreadableEvent, match=r"^data\.created_at: "):
        _ = event.payload


def test_a_type_of_the_future_is_told_apart_from_garbage() -> None:
    event = envelope.from_bytes(an_event(type="assent.registry.model.observed.v2"))
    with pytest.raises(UnknownEventType):
        _ = event.payload


def test_a_trace_that_is_none_is_dropped_and_the_event_is_kept() -> None:
    assert envelope.from_bytes(an_event(traceparent="rm -rf /")).traceparent is None


def test_an_integer_beyond_all_bounds_is_a_number_still() -> None:
    event = envelope.from_bytes(an_event(data={"raw": "N"}).replace(b'"N"', b"123456789012345678901234567890"))
    assert event.data == {"raw": 1.2345678901234568e29}


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_what_is_no_number_is_never_told(wrong: float) -> None:
    with pytest.raises(ValidationError):
        registry.Metric(value=wrong)


def test_a_payload_of_another_type_is_refused() -> None:
    removed = registry.Removed(urn="x", source="y", kind=registry.Kind.MODEL, removed_at=NOON)
    with pytest.raises(TypeError):
        envelope.create(source="/x", type=OBSERVED, subject="x", sequence=1, time=NOON, data=removed)


def test_an_event_cannot_be_changed() -> None:
    event = envelope.from_bytes(an_event())
    with pytest.raises(ValidationError):
        event.subject = "other"  # type: ignore[misc]
