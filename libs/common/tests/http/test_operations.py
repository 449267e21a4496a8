"""Whether a service works is said to everybody; what it is made of, and how it does, to who may know it."""

import base64
import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from assent_common.http import app as http_app
from assent_common.http.operations import Telling, To
from assent_common.http.problems import Unauthenticated, Unavailable
from assent_common.identity.roles import Principal, Reader, Role
from assent_common.settings import Settings
from pydantic import SecretStr, ValidationError

from libs.common.tests.http.served import bearing, served

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

DIGEST = hashlib.sha256(b"for-prometheus").hexdigest()
CLOSED = Telling(To.SIGNED_IN, To.SIGNED_IN, DIGEST)


@asynccontextmanager
async def a_service(telling: Telling) -> AsyncIterator[httpx.AsyncClient]:
    async def authenticate(token: str) -> Principal:
        if token == "while-the-issuer-is-away":
            raise Unavailable("the issuer's keys cannot be read")
        if token not in {*Role, "nothing"}:
            raise Unauthenticated("no")
        return Principal("tests", "ada", frozenset({Role(token)} if token in set(Role) else set()))

    router = http_app.router()

    @router.get("/things")
    async def things(who: Reader) -> list[str]:
        return []

    async with served(router, authenticate, telling=telling) as client:
        yield client


@pytest.mark.parametrize("token", [None, "", "stranger", DIGEST])
async def test_a_stranger_is_told_whether_it_works_and_nothing_else(token: str | None) -> None:
    async with a_service(CLOSED) as client:
        for path in ("/metrics", "/docs", "/openapi.json"):
            assert (await client.get(path, headers=bearing(token))).status_code == 401, path
        assert (await client.get("/health/live", headers=bearing(token))).json() == {"status": "alive"}
        ready = await client.get("/health/ready", headers=bearing(token))
    assert (ready.status_code, ready.json()) == (503, {"status": "unavailable"})
    assert ready.headers["retry-after"]


@pytest.mark.parametrize("role", [Role.VIEWER, Role.SERVICE, Role.ADMIN])
async def test_who_is_signed_in_is_told_all_of_it(role: Role) -> None:
    async with a_service(CLOSED) as client:
        assert "/v1/things" in (await client.get("/openapi.json", headers=bearing(role))).json()["paths"]
        assert "SwaggerUIBundle" in (await client.get("/docs", headers=bearing(role))).text
        assert "assent_http_requests_total" in (await client.get("/metrics", headers=bearing(role))).text
        ready = (await client.get("/health/ready", headers=bearing(role))).json()
    assert ready["dependencies"]["postgres"]["status"] == "failing"
    assert "ConnectionRefused" in ready["dependencies"]["postgres"]["detail"]


async def test_prometheus_token_opens_the_monitoring_and_nothing_else() -> None:
    async with a_service(CLOSED) as client:
        assert (await client.get("/metrics", headers=bearing("for-prometheus"))).status_code == 200
        assert "dependencies" in (await client.get("/health/ready", headers=bearing("for-prometheus"))).json()
        for path in ("/docs", "/openapi.json", "/v1/things"):
            assert (await client.get(path, headers=bearing("for-prometheus"))).status_code == 401, path


async def test_who_has_no_role_here_is_a_stranger() -> None:
    async with a_service(CLOSED) as client:
        assert (await client.get("/metrics", headers=bearing("nothing"))).status_code == 403
        assert (await client.get("/docs", headers=bearing("nothing"))).status_code == 403
        assert "dependencies" not in (await client.get("/health/ready", headers=bearing("nothing"))).json()


async def test_health_is_answered_while_the_issuer_is_away() -> None:
    async with a_service(CLOSED) as client:
        ready = await client.get("/health/ready", headers=bearing("while-the-issuer-is-away"))
        assert ready.json() == {"status": "unavailable"}
        assert (await client.get("/metrics", headers=bearing("while-the-issuer-is-away"))).status_code == 503


async def test_the_docs_can_be_shut_off() -> None:
    async with a_service(Telling(docs=To.NOBODY)) as client:
        for path in ("/docs", "/openapi.json", "/redoc"):
            assert (await client.get(path, headers=bearing("admin"))).status_code == 404, path
        assert (await client.get("/metrics")).status_code == 200


async def test_the_page_of_the_docs_runs_its_own_scripts_alone_and_in_no_frame() -> None:
    async with a_service(Telling()) as client:
        page = await client.get("/docs")
    directives = page.headers["content-security-policy"].split("; ")
    policy = {name: sources for name, *sources in (each.split() for each in directives)}
    for none in ("default-src", "object-src", "base-uri", "form-action", "frame-ancestors"):
        assert policy[none] == ["'none'"], none
    (script,) = re.findall(r"<script>(.*?)</script>", page.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy["script-src"] == ["https://cdn.jsdelivr.net", f"'sha256-{digest}'"]
    loaded = re.findall(r'(?:src|href)="(https://[^/]+)/', page.text)
    assert len(loaded) == 3
    assert set(loaded) <= {*policy["script-src"], *policy["style-src"], *policy["img-src"]}
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["cache-control"] == "no-store"


E, S, N = To.EVERYBODY, To.SIGNED_IN, To.NOBODY


@pytest.mark.parametrize(
    ("told", "docs", "monitoring"),
    [
        ({}, E, E),
        ({"host": "localhost"}, E, E),
        ({"host": "::1"}, E, E),
        ({"host": "0.0.0.0"}, S, S),  # noqa: S104 - what a container has
        ({"host": "assent.example.com"}, S, S),
        ({"metrics_token_sha256": DIGEST}, E, S),
        ({"docs": "nobody", "monitoring": "signed-in"}, N, S),
        ({"host": "10.0.0.7", "docs": "everybody", "monitoring": "everybody"}, E, E),
    ],
)
def test_unless_told_it_is_open_on_its_own_machine_alone(told: dict[str, str], docs: To, monitoring: To) -> None:
    settings = Settings.model_validate({"database_url": "postgresql://host/db", **told})
    telling = Telling.of(settings)
    assert (telling.docs, telling.monitoring, telling.metrics_token) == (
        docs,
        monitoring,
        told.get("metrics_token_sha256"),
    )


def test_a_token_in_place_of_its_digest_is_refused_and_not_shown() -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(database_url=SecretStr("postgresql://host/db"), metrics_token_sha256="swordfish")
    assert "swordfish" not in str(refused.value)
