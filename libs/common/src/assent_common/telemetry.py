"""Logs as JSON lines, and traces: both carry the correlation id and the trace from one service to the next."""

import logging
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import orjson
import structlog
from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from assent_common import ids
from assent_common.events.envelope import CloudEvent
from assent_common.masking import Mask

_correlation_id: ContextVar[str | None] = ContextVar("correlation_id", default=None)
_w3c = TraceContextTextMapPropagator()
#: As many as a span keeps (SpanLimits).
_MOST_LINKS = 128
#: Lines of one place in the code of a library.
_A_MINUTE = 5
_WINDOW_S = 60
_SECRETS = ("authorization", "password", "secret", "token", "database_url")

tracer = trace.get_tracer("assent")
_exports = False
_log: structlog.typing.FilteringBoundLogger | None = None


def configure(service: str, level: str = "INFO", *, secrets: Iterable[str] = ()) -> None:
    """Once per process: JSON lines on stderr; spans go to `OTEL_EXPORTER_OTLP_ENDPOINT` where that is set.

    The secrets are in no line, nor what looks like one, whatever text it stands in.
    Without it spans are still made, so that every event and log line carries its trace.
    """
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _where,
            _redact,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=_to_json),
            _masked(Mask(secrets)),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    global _exports, _log
    # Bound once, and not with each line.
    _log = structlog.get_logger().bind()
    logging.basicConfig(handlers=[ToOurLines()], level=logging.WARNING, force=True)
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    _exports = bool(os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"))
    if _exports:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)


def logger() -> structlog.typing.FilteringBoundLogger:
    log: structlog.typing.FilteringBoundLogger = _log if _log is not None else structlog.get_logger()
    return log


def correlation_id() -> str:
    """The id that ties together all that one cause led to; a new one outside of any."""
    return _correlation_id.get() or str(ids.new())


def traceparent() -> str | None:
    """The current span as W3C Trace Context, or None outside of any."""
    carrier: dict[str, str] = {}
    _w3c.inject(carrier)
    return carrier.get("traceparent")


def context_of(parent: str | None) -> Context | None:
    return _w3c.extract({"traceparent": parent}) if parent else None


def link_to(parent: str | None) -> list[trace.Link]:
    """A link to another trace, for what one cause does not contain: a batch, a decision days later."""
    context = trace.get_current_span(context_of(parent)).get_span_context() if parent else None
    return [trace.Link(context)] if context is not None and context.is_valid else []


@contextmanager
def correlated(correlation: str | None) -> Iterator[str]:
    """Everything inside carries this correlation id (a new one for None)."""
    current = correlation or str(ids.new())
    token = _correlation_id.set(current)
    try:
        yield current
    finally:
        _correlation_id.reset(token)


@contextmanager
def as_current(span: trace.Span) -> Iterator[None]:
    """Everything inside is part of the span, which ends with it.

    As `start_as_current_span`, in half the time: nothing is written into the span of what is raised.
    """
    token = attach(trace.set_span_in_context(span))
    try:
        yield
    finally:
        detach(token)
        span.end()


@contextmanager
def one_cause() -> Iterator[str]:
    """Everything inside has one cause: the one that it is done for, or else one of its own."""
    current = _correlation_id.get()
    if current is not None:
        yield current
    else:
        with correlated(None) as new:
            yield new


@contextmanager
def continuing(name: str, *, correlation: str | None, parent: str | None) -> Iterator[trace.Span]:
    """A span that goes on where an event or a request came from."""
    with correlated(correlation), tracer.start_as_current_span(name, context=context_of(parent)) as span:
        yield span


@contextmanager
def caused_by(event: CloudEvent) -> Iterator[trace.Span]:
    """What one event leads to: its correlation id and its trace go on."""
    with continuing(f"on {event.type}", correlation=event.correlationid, parent=event.traceparent) as span:
        yield span


class Cause(NamedTuple):
    """What is said of a cause in an event that it led to."""

    correlation_id: str
    traceparent: str | None


def passed_on(event: CloudEvent) -> Cause:
    """What one event leads to, among thousands at once: as inside `caused_by`, but for the log lines.

    Where spans go nowhere none is made for it: its own parent is passed on.
    """
    if _exports:
        with caused_by(event):
            return Cause(correlation_id(), traceparent())
    return Cause(event.correlationid or str(ids.new()), event.traceparent)


def links_to(events: Sequence[CloudEvent]) -> list[trace.Link]:
    """Links to what is done at once; where spans go nowhere, none."""
    if not _exports:
        return []
    return [link for event in events[:_MOST_LINKS] for link in link_to(event.traceparent)]


def _where(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if (correlation := _correlation_id.get()) is not None:
        event["correlation_id"] = correlation
    span = trace.get_current_span().get_span_context()
    if span.is_valid:
        event["trace_id"] = format(span.trace_id, "032x")
    return event


def _redact(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key in event:
        if any(secret in key.lower() for secret in _SECRETS):
            event[key] = "…"
    return event


def _to_json(event: Any, **_: Any) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def _masked(mask: Mask) -> structlog.typing.Processor:
    def masked(_: Any, __: str, line: Any) -> str:
        return mask.over(line)

    return masked


class ToOurLines(logging.Handler):
    """What libraries log, as our own lines: of one line of their code a few a minute, then how many were left out. Of a
    broker that is away aiokafka says so fifty times a second."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now = now
        #: Of each line of code and kind of exception: since when it is counted, and how often it came.
        self._told: dict[tuple[object, ...], tuple[float, int]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        raised = record.exc_info[0] if record.exc_info else None
        place, now = (record.pathname, record.lineno, raised), self._now()
        since, times = self._told.get(place, (now, 0))
        more = {}
        if now - since >= _WINDOW_S:
            if times > _A_MINUTE:
                more["left_out"] = times - _A_MINUTE
            since, times = now, 0
        self._told[place] = since, times + 1
        if times < _A_MINUTE:
            logger().log(record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info, **more)
