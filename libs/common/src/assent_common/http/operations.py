"""What whoever runs a service asks it: whether it lives and can work, its metrics, and what can be asked of it.

None of it needs a rule of its own, and so it is for everybody on the machine where a service listens to that alone.
Elsewhere it is for who is known: only whether a service lives and is ready is said to everybody.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from typing import Any, Self

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import HTMLResponse, JSONResponse, Response

from assent_common.database import Database, is_transient
from assent_common.health import Health, State
from assent_common.http.problems import Problem
from assent_common.identity.roles import EVERYBODY, admitting, bearer
from assent_common.settings import Settings

OPEN = frozenset({"/health/live", "/health/ready", "/metrics", "/openapi.json", "/docs"})
"""The only routes without a rule in the table of access."""
_SCRIPTS, _ICONS = "https://cdn.jsdelivr.net", "https://fastapi.tiangolo.com"
_admit = admitting(EVERYBODY)


class To(StrEnum):
    """To whom something is told."""

    EVERYBODY = "everybody"
    SIGNED_IN = "signed-in"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Telling:
    """What is told to whom."""

    docs: To = To.EVERYBODY
    #: Metrics, and what a service depends on.
    monitoring: To = To.EVERYBODY
    #: SHA-256 of a token that opens the monitoring and nothing else.
    metrics_token: str | None = None

    @classmethod
    def of(cls, settings: Settings) -> Self:
        here = To.EVERYBODY if _is_loopback(settings.host) else To.SIGNED_IN
        token = settings.metrics_token_sha256
        monitoring = To.SIGNED_IN if token else here
        return cls(To(settings.docs or here), To(settings.monitoring or monitoring), token)

    async def monitoring_for(self, request: Request) -> None:
        """Raises Unauthenticated, Forbidden, TooManyRequests, Unavailable."""
        if self.monitoring is To.EVERYBODY:
            return
        token = bearer(request.headers.get("authorization"))
        if self.metrics_token is not None and token is not None:
            digest = hashlib.sha256(token.encode(errors="replace")).hexdigest()
            if hmac.compare_digest(digest, self.metrics_token.lower()):
                return
        await _admit(request, token)

    async def docs_for(self, request: Request) -> None:
        """Raises as above."""
        if self.docs is not To.EVERYBODY:
            await _admit(request, bearer(request.headers.get("authorization")))


def routes(app: FastAPI, database: Database, health: Health, telling: Telling) -> APIRouter:
    operations = APIRouter(tags=["operations"])

    @operations.get("/health/live", summary="Whether the process runs; touches nothing else")
    async def live() -> dict[str, str]:
        return {"status": "alive"}

    @operations.get("/health/ready", summary="Whether it can do its work, and the truth about what it depends on")
    async def ready(request: Request) -> Response:
        """What it depends on is told to who may know it; whether it can work, to everybody."""
        try:
            await database.ping()
        except Exception as error:
            if not is_transient(error):
                raise
            health.failing("postgres", repr(error))
        else:
            health.working("postgres")
        components = dict(health.components)
        # Without Kafka requests are still answered and writes are kept: degraded, not away.
        able = components["postgres"].state is State.WORKING
        fine = all(component.state is State.WORKING for component in components.values())
        said: dict[str, Any] = {"status": "ready" if fine else "degraded" if able else "unavailable"}
        try:
            await telling.monitoring_for(request)
        except Problem:
            pass
        else:
            said["dependencies"] = {
                name: {"status": c.state.value, "detail": c.detail, "since": c.since.isoformat()}
                for name, c in sorted(components.items())
            }
        return JSONResponse(said, 200 if able else 503, headers={} if able else {"Retry-After": "2"})

    @operations.get("/metrics", summary="Prometheus metrics", response_class=Response)
    async def metrics(request: Request) -> Response:
        await telling.monitoring_for(request)
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    if telling.docs is not To.NOBODY:

        @operations.get("/openapi.json", include_in_schema=False)
        async def openapi(request: Request) -> Response:
            await telling.docs_for(request)
            return JSONResponse(app.openapi())

        @operations.get("/docs", include_in_schema=False)
        async def docs(request: Request) -> Response:
            await telling.docs_for(request)
            page = get_swagger_ui_html(openapi_url="openapi.json", title=app.title)
            return HTMLResponse(page.body, headers=_only_its_own_scripts(bytes(page.body)))

    return operations


def _only_its_own_scripts(page: bytes) -> Mapping[str, str]:
    """The page's own script by its digest, and those of Swagger UI by where they come from."""
    script = page.partition(b"<script>")[2].partition(b"</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script).digest()).decode()
    allowed = (
        "default-src 'none'",
        f"script-src {_SCRIPTS} 'sha256-{digest}'",
        # What Swagger UI draws with.
        f"style-src {_SCRIPTS} 'unsafe-inline'",
        f"img-src {_ICONS} data:",
        "connect-src 'self'",
        "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    )
    return {"Content-Security-Policy": "; ".join(allowed)}


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
