"""The edge of every service, in one plain ASGI middleware: limits, ids, trace, log, metrics.

Not a `BaseHTTPMiddleware`: its cancellation leaks pool connections (sqlalchemy#12077).
"""

import re
import time
from collections.abc import Iterable
from functools import lru_cache
from http import HTTPStatus
from itertools import count

from opentelemetry.trace import Span, SpanKind
from prometheus_client import Counter, Histogram
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assent_common import ids, metrics, telemetry
from assent_common.http import problems
from assent_common.http.request_log import RequestLog

MAX_BODY_BYTES = 1_000_000
#: What a browser may make of an answer: nothing but show it. The page of the docs says which scripts it has.
GUARDS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]
LOCKED = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'")
#: Of a service that serves TLS itself.
HTTPS = (b"strict-transport-security", b"max-age=31536000")
UNKEPT = (b"cache-control", b"no-store")
_ID = re.compile(r"[A-Za-z0-9._-]{1,100}")
_HOLE = "correlation-id-here"
_NO_ROUTE = "unknown"
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


class Edge:
    """Wraps the whole app, so that its own refusals are problems with a correlation id, too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._log = RequestLog()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = {name: value for name, value in scope["headers"] if name in (b"x-request-id", b"traceparent")}
        id_ = given.get(b"x-request-id", b"").decode("latin-1")
        parent = telemetry.context_of(given.get(b"traceparent", b"").decode("latin-1"))
        span = telemetry.tracer.start_span(scope["method"], context=parent, kind=SpanKind.SERVER)
        with telemetry.correlated(id_ if _ID.fullmatch(id_) else None) as correlation, telemetry.as_current(span):
            await self._answer(scope, receive, send, correlation, span)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, correlation: str, span: Span) -> None:
        started_at = time.perf_counter()
        status = 0
        taken = 0

        async def limited() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > MAX_BODY_BYTES:
                # FastAPI takes anything else that is raised while it reads the body for a body that cannot be parsed.
                raise HTTPException(413, f"a body has at most {MAX_BODY_BYTES} bytes")
            return message

        async def stamped(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                given = message["headers"]
                message["headers"] = [*given, *_guards(scope, given), *_headers(scope, correlation)]
                _measure(scope, status, time.perf_counter() - started_at)
            await send(message)

        try:
            await self._app(scope, limited, stamped)
        except Exception as error:
            # Here rather than in a handler of Starlette's, which answers outside of this, without id and metric.
            refusal = problems.unexpected(error)
            if status:
                raise
            await refusal(scope, receive, stamped)
        finally:
            route = _route(scope)
            span.update_name(f"{scope['method']} {route}")
            self._log.tell(scope, route=route, status=status, took_s=time.perf_counter() - started_at)


class Refusal:
    """An answer in place of the app's, as the edge would give it: a problem, with an id, and counted.

    It is put together once, for it is given when there is no time.
    """

    def __init__(self, problem: problems.Problem) -> None:
        answer = problems.answer(problem, _HOLE)
        #: Numbered on: to make an id for each would be a third of the work.
        self._id, self._numbers = str(ids.new()), count(1)
        self._status = answer.status_code
        self._before, self._after = bytes(answer.body).split(_HOLE.encode())
        kept = [header for header in answer.raw_headers if header[0] != b"content-length"]
        self._headers = [*kept, *GUARDS, LOCKED, UNKEPT]
        self._head = b"HTTP/1.1 %d %s\r\n" % (self._status, HTTPStatus(self._status).phrase.encode())
        self._head += b"".join(b"%s: %s\r\n" % header for header in self._headers)

    async def give(self, scope: Scope, send: Send) -> None:
        given = (value.decode("latin-1") for name, value in scope["headers"] if name == b"x-request-id")
        correlation, body = self._for(scope["method"], next(given, ""))
        length = (b"content-length", b"%d" % len(body))
        headers = [*self._headers, length, (b"x-request-id", correlation)]
        await send({"type": "http.response.start", "status": self._status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def written(self, method: str, request_id: str) -> bytes:
        """The same as it goes over the wire, by HTTP/1.1."""
        correlation, body = self._for(method, request_id)
        return b"%sx-request-id: %s\r\ncontent-length: %d\r\n\r\n%s" % (
            *(self._head, correlation, len(body)),
            body if method != "HEAD" else b"",
        )

    def _for(self, method: str, given: str) -> tuple[bytes, bytes]:
        correlation = (given if _ID.fullmatch(given) else f"{self._id}-{next(self._numbers)}").encode()
        # Counted, but in no time to the answer: it would look the shorter the more are refused.
        _measures(_method(method), _NO_ROUTE, self._status)[0].inc()
        return correlation, self._before + correlation + self._after


def _guards(scope: Scope, given: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    # What says itself how long it may be kept, or what it needs to be shown, is believed.
    said = {name for name, _ in given}
    kept = [HTTPS] if scope.get("scheme") == "https" else []
    return [*GUARDS, *kept, *(guard for guard in (LOCKED, UNKEPT) if guard[0] not in said)]


def _headers(scope: Scope, correlation: str) -> list[tuple[bytes, bytes]]:
    """Which request this was, and how many more its caller may make."""
    standing = scope.get("state", {}).get("standing")
    rate = standing.headers.items() if standing is not None else ()
    return [(name.lower().encode(), value.encode()) for name, value in (("X-Request-Id", correlation), *rate)]


def _measure(scope: Scope, status: int, seconds: float) -> None:
    requests, took = _measures(_method(scope["method"]), _route(scope), status)
    requests.inc()
    took.observe(seconds)


@lru_cache(4_096)
def _measures(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    """To look for them costs more than to count."""
    return metrics.HTTP_REQUESTS.labels(method, route, status), metrics.HTTP_SECONDS.labels(method, route)


def _method(given: str) -> str:
    return given if given in _METHODS else "other"


def _route(scope: Scope) -> str:
    """The route's template, never the path: a metric must not grow with the catalogue."""
    return getattr(scope.get("route"), "path", _NO_ROUTE)
