"""What callers are not meant to touch, touched at every route that takes it: fields, cursors, tags and keys."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

import httpx
import pytest
from assent_common import migrations
from assent_common.clock import FrozenClock
from assent_common.database import Database
from assent_common.http import app as http_app
from assent_common.http import pages
from assent_common.identity.roles import Role
from fastapi import FastAPI

from tests.contract import services
from tests.contract.test_access import ALLOWED, UNKNOWN

#: Of what the services keep, what follows from something else or is of somebody else.
NOT_YOURS = ("id", "status", "sequence", "created_by", "put_forward_by", "decided_by", "roles", "generation")
#: What is sent there is a table, of which each row is told what is at fault with it.
ROWS = {"/v1/use-cases/import"}
DEEP = "[" * 200 + "]" * 200


class Asked(NamedTuple):
    method: str
    path: str
    role: Role


@pytest.fixture(params=list(ALLOWED))
async def service(request: pytest.FixtureRequest, database_url: str) -> AsyncIterator[tuple[str, FastAPI]]:
    name: str = request.param
    clock = FrozenClock(datetime(2026, 11, 1, tzinfo=UTC))
    database = Database(database_url, service=name, clock=clock)
    await migrations.upgrade(database, services.PACKAGES[name])
    yield name, services.app(name, database, clock)
    await database.close()


def a_client(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service")


def operations(app: FastAPI) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in app.openapi()["paths"].items():
        if path.startswith("/v1/"):
            for method, operation in item.items():
                yield method.upper(), path, operation


def asked(app: FastAPI, method: str, path: str) -> Asked:
    """By a role that the route takes, of something that is not there."""
    table = http_app.access_table(app)
    roles = next(roles for (m, p), roles in table.items() if (m, p.replace(":path", "")) == (method, path))
    words = {word: UNKNOWN if word == "id" else "unknown" for word in ("id", "key", "name", "urn")}
    return Asked(method, path.format(**words), min(roles))


async def test_no_body_takes_a_field_that_is_not_the_callers(service: tuple[str, FastAPI]) -> None:
    """Nor one level down. Whatever else is at fault with the body, each such field is pointed at."""
    name, app = service
    tried = 0
    async with a_client(app) as http:
        if name == "catalog-api":
            # A patch is read beside what it is of.
            there = {"key": "unknown", "name": "Known"}
            made = await http.post("/v1/use-cases", json=there, headers={"Authorization": "Bearer business_owner"})
            assert made.status_code == 201, made.text
        for method, path, operation in operations(app):
            schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
            if schema is None or path in ROWS:
                continue
            known = _members(app, schema)
            ask = asked(app, method, path)
            for field in sorted(set(NOT_YOURS) - known):
                body = {field: "mine"}
                headers = {"Authorization": f"Bearer {ask.role}", "If-Match": "*"}
                answer = await http.request(ask.method, ask.path, json=body, headers=headers)
                assert answer.status_code == 422, f"{method} {path}: {field}: {answer.status_code} {answer.text}"
                pointed = {error["pointer"] for error in answer.json()["errors"]}
                assert f"/{field}" in pointed, f"{method} {path}: {pointed}"
                tried += 1
    assert tried > 30 or not [one for one in operations(app) if "requestBody" in one[2]]


async def test_no_body_is_deeper_than_what_is_taken(service: tuple[str, FastAPI]) -> None:
    _, app = service
    async with a_client(app) as http:
        for method, path, operation in operations(app):
            if "application/json" in operation.get("requestBody", {}).get("content", {}):
                ask = asked(app, method, path)
                headers = {"Authorization": f"Bearer {ask.role}", "Content-Type": "application/json"}
                answer = await http.request(ask.method, ask.path, content=f'{{"x": {DEEP}}}', headers=headers)
                assert answer.status_code == 400, f"{method} {path}: {answer.text}"


async def test_no_list_follows_a_cursor_that_is_not_its_own(service: tuple[str, FastAPI]) -> None:
    _, app = service
    foreign = [
        "AAAA",
        "%00",
        "' or 1=1 --",
        "-1",
        pages.write_cursor([UNKNOWN], of="another list"),
        pages.write_cursor([UNKNOWN, 7, "x"], of=[]),
        pages.write_cursor([], of=None),
        pages.write_cursor([UNKNOWN], of="another list")[:-4] + "AAA=",
        "x" * 2001,
    ]
    tried = 0
    async with a_client(app) as http:
        for method, path, operation in operations(app):
            if "cursor" not in {parameter["name"] for parameter in operation.get("parameters", [])}:
                continue
            ask = asked(app, method, path)
            required = {
                parameter["name"]: "accuracy"
                for parameter in operation["parameters"]
                if parameter["in"] == "query" and parameter["required"]
            }
            for cursor in foreign:
                params = required | {"cursor": cursor}
                headers = {"Authorization": f"Bearer {ask.role}"}
                answer = await http.request(ask.method, ask.path, params=params, headers=headers)
                # Of what is not there there is no list.
                allowed = {400, 422} | ({404} if "{" in path else set())
                assert answer.status_code in allowed, f"{path}?cursor={cursor}: {answer.status_code} {answer.text}"
                tried += 1
    assert tried > 3 * len(foreign)


async def test_a_key_of_idempotency_opens_nothing_at_another_route(database_url: str) -> None:
    clock = FrozenClock(datetime(2026, 11, 1, tzinfo=UTC))
    database = Database(database_url, service="catalog-api", clock=clock)
    await migrations.upgrade(database, "assent_catalog")
    headers = {"Authorization": f"Bearer {Role.BUSINESS_OWNER}", "Idempotency-Key": "k1"}
    try:
        async with a_client(services.app("catalog-api", database, clock)) as http:
            first = await http.post("/v1/use-cases", json={"key": "churn", "name": "Churn"}, headers=headers)
            assert first.status_code == 201, first.text
            again = await http.post("/v1/use-cases", json={"key": "churn", "name": "Churn"}, headers=headers)
            assert (again.status_code, again.json()) == (201, first.json())
            other = {"key": "fraud", "name": "Fraud"}
            assert (await http.post("/v1/use-cases", json=other, headers=headers)).status_code == 422
            stage = {"stage": "development"}
            moved = await http.post("/v1/use-cases/churn/stage", json=stage, headers=headers | {"If-Match": "*"})
            assert moved.status_code == 422, moved.text
            assert "another request" in moved.json()["detail"]
            assert (await http.get("/v1/use-cases/churn", headers=headers)).json()["stage"] == "ideation"
            for hostile in ("", "x" * 256):
                refused = await http.post("/v1/use-cases", json=other, headers=headers | {"Idempotency-Key": hostile})
                assert refused.status_code == 422, hostile

            for tag in (
                "",
                '"',
                '"0"',
                '"1',
                "1",
                'W/"1"',
                '"1" or "1"',
                "'1'",
                '"-1"',
                '"1\\"',
                '"9999999999999999999"',
            ):
                given = {"Authorization": headers["Authorization"], "If-Match": tag}
                answer = await http.patch("/v1/use-cases/churn", json={"name": "Mine"}, headers=given)
                assert answer.status_code in {412, 428}, f"{tag}: {answer.text}"
            stands = await http.get("/v1/use-cases/churn", headers=headers)
            assert (stands.json()["name"], stands.headers["etag"]) == ("Churn", '"1"')
    finally:
        await database.close()


def _members(app: FastAPI, schema: dict[str, Any]) -> set[str]:
    """The fields of a body, of all that it may be."""
    found: set[str] = set()
    for each in (schema, *schema.get("anyOf", []), *schema.get("oneOf", [])):
        name = each.get("$ref", "").rpartition("/")[2]
        found |= set((app.openapi()["components"]["schemas"][name] if name else each).get("properties", {}))
    return found
