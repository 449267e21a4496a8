"""Who may call what: every route of every service, for every role, against a table written by hand."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import pytest
from assent_common import migrations
from assent_common.clock import FrozenClock, SystemClock
from assent_common.database import Database
from assent_common.http import app as http_app
from assent_common.http.rates import Rates
from assent_common.identity.roles import COSTLY, Role
from assent_common.identity.sign_in import Demands
from fastapi import FastAPI

from tests.contract import services

ALL = frozenset(Role)
PROPOSERS = {Role.DATA_SCIENTIST}
DESCRIBERS = {Role.BUSINESS_OWNER, Role.DATA_STEWARD}
GUARDIANS = {Role.RISK, Role.SECURITY, Role.ADMIN}
# An administrator is let in to be told by the task that it is nobody's but its role's.
APPROVERS = {
    *(Role.DATA_SCIENTIST, Role.DATA_STEWARD, Role.LEGAL, Role.RISK, Role.SECURITY, Role.BUSINESS_OWNER, Role.ADMIN)
}
OPERATORS = {Role.ADMIN, Role.SERVICE}

EXPENSIVE = {
    "catalog-api": {"GET /v1/exports/model-versions", "GET /v1/exports/use-cases", "GET /v1/audit/export"},
    "workflow": {"POST /v1/policies/simulate", "GET /v1/audit/export"},
    "sagemaker-connector": {"GET /v1/audit/export"},
}
ALLOWED: dict[str, dict[str, frozenset[Role] | set[Role]]] = {
    "catalog-api": {
        "GET /v1/use-cases": ALL,
        "POST /v1/use-cases": DESCRIBERS,
        "GET /v1/use-cases/{key}": ALL,
        "PUT /v1/use-cases/{key}": DESCRIBERS,
        "POST /v1/use-cases/import": DESCRIBERS,
        "GET /v1/use-cases/{key}/similar": ALL,
        "GET /v1/use-cases/{key}/diff": ALL,
        "GET /v1/use-case-templates": ALL,
        "GET /v1/use-case-schema": ALL,
        "PATCH /v1/use-cases/{key}": DESCRIBERS,
        "POST /v1/use-cases/{key}/stage": DESCRIBERS,
        "POST /v1/use-cases/{key}/proposal": DESCRIBERS,
        "DELETE /v1/use-cases/{key}/proposal": DESCRIBERS,
        "GET /v1/use-cases/{key}/completeness": ALL,
        "GET /v1/use-cases/{key}/models": ALL,
        "GET /v1/use-cases/{key}/history": ALL,
        "GET /v1/use-cases/{key}/lineage": ALL,
        "GET /v1/model-versions": ALL,
        "GET /v1/model-versions/{id}": ALL,
        "GET /v1/model-versions/{id}/history": ALL,
        "GET /v1/model-versions/{id}/lineage": ALL,
        "GET /v1/model-versions/{id}/diff": ALL,
        "GET /v1/rankings": ALL,
        "GET /v1/monitors": ALL,
        "GET /v1/monitors/{urn}": ALL,
        "GET /v1/monitors/{urn}/diff": ALL,
        "GET /v1/monitors/{urn}/history": ALL,
        "GET /v1/models/{id}/diff": ALL,
        "GET /v1/deployments/{id}/diff": ALL,
        "GET /v1/models": ALL,
        "GET /v1/models/{id}": ALL,
        "GET /v1/models/{id}/versions": ALL,
        "GET /v1/models/{id}/history": ALL,
        "GET /v1/datasets": ALL,
        "GET /v1/datasets/{id}": ALL,
        "GET /v1/datasets/{id}/diff": ALL,
        "GET /v1/datasets/{id}/history": ALL,
        "GET /v1/datasets/{id}/lineage": ALL,
        "GET /v1/deployments": ALL,
        "GET /v1/deployments/{id}": ALL,
        "GET /v1/deployments/{id}/history": ALL,
        "GET /v1/deployments/{id}/lineage": ALL,
        "GET /v1/search": ALL,
        "GET /v1/exports/model-versions": ALL,
        "GET /v1/exports/use-cases": ALL,
        "GET /v1/sources": ALL,
        "GET /v1/events": ALL,
        "GET /v1/audit": ALL,
        "GET /v1/audit/keys": ALL,
        "GET /v1/audit/checkpoint": ALL,
        "GET /v1/audit/export": ALL,
    },
    "workflow": {
        "GET /v1/candidacies": ALL,
        "POST /v1/candidacies": PROPOSERS,
        "GET /v1/candidacies/{id}": ALL,
        "GET /v1/candidacies/{id}/status": ALL,
        "POST /v1/candidacies/{id}/submit": PROPOSERS,
        "POST /v1/candidacies/{id}/withdraw": PROPOSERS,
        "POST /v1/candidacies/{id}/override": APPROVERS - {Role.ADMIN},
        "POST /v1/candidacies/{id}/suspend": GUARDIANS,
        "POST /v1/candidacies/{id}/retire": GUARDIANS,
        "GET /v1/reviews/{id}": ALL,
        "GET /v1/reviews/{id}/changes": ALL,
        "GET /v1/reviews/{id}/comments": ALL,
        "POST /v1/reviews/{id}/comments": APPROVERS - {Role.ADMIN},
        "GET /v1/reviews/{id}/evidence": ALL,
        "POST /v1/reviews/{id}/evidence": APPROVERS - {Role.ADMIN},
        "POST /v1/reviews/{id}/checks/{name}/ask": APPROVERS - {Role.ADMIN},
        "GET /v1/use-case-steps": ALL,
        "GET /v1/use-case-steps/{id}": ALL,
        "GET /v1/tasks": ALL,
        "GET /v1/tasks/{id}": ALL,
        "POST /v1/tasks/{id}/decision": APPROVERS,
        "POST /v1/tasks/{id}/claim": APPROVERS,
        "POST /v1/tasks/{id}/release": APPROVERS,
        "POST /v1/tasks/{id}/assign": {Role.RISK, Role.ADMIN},
        "GET /v1/policies": ALL,
        "POST /v1/policies": {Role.ADMIN},
        "GET /v1/policies/{name}": ALL,
        "POST /v1/policies/{name}/simulate": ALL,
        "POST /v1/policies/simulate": ALL,
        "GET /v1/policies/{name}/diff": ALL,
        "POST /v1/external-checks/secret": {Role.ADMIN},
        "GET /v1/identities": ALL,
        "PUT /v1/identities": {Role.ADMIN},
        "DELETE /v1/identities/{id}": {Role.ADMIN},
        "GET /v1/delegations": ALL,
        "POST /v1/delegations": APPROVERS - {Role.ADMIN},
        "DELETE /v1/delegations/{id}": APPROVERS | {Role.ADMIN},
        "GET /v1/webhooks": {Role.ADMIN},
        "POST /v1/webhooks": {Role.ADMIN},
        "GET /v1/webhooks/{id}": {Role.ADMIN},
        "PUT /v1/webhooks/{id}": {Role.ADMIN},
        "DELETE /v1/webhooks/{id}": {Role.ADMIN},
        "POST /v1/webhooks/{id}/rotate": {Role.ADMIN},
        "POST /v1/webhooks/{id}/ping": {Role.ADMIN},
        "GET /v1/webhooks/{id}/deliveries": {Role.ADMIN},
        "POST /v1/webhook-deliveries/{id}/redeliver": {Role.ADMIN},
        "GET /v1/use-cases/{key}/serving": ALL,
        "GET /v1/contacts": {Role.ADMIN},
        "PUT /v1/contacts": {Role.ADMIN},
        "GET /v1/contacts/mine": ALL,
        "PUT /v1/contacts/mine": ALL,
        "DELETE /v1/contacts/{id}": {Role.ADMIN},
        "GET /v1/notifications": {Role.ADMIN},
        "GET /v1/notifications/{id}": {Role.ADMIN},
        "POST /v1/notifications/{id}/redeliver": {Role.ADMIN},
        "GET /v1/notification-rules": ALL,
        "POST /v1/notification-rules": {Role.ADMIN},
        "GET /v1/findings": ALL,
        "GET /v1/findings/{id}": ALL,
        "POST /v1/findings/{id}/accept-risk": GUARDIANS,
        "POST /v1/findings/{id}/resolve": GUARDIANS,
        "POST /v1/gate": ALL,
        "GET /v1/facts": ALL,
        "GET /v1/gate/keys": ALL,
        "GET /v1/gate/questions": ALL,
        "GET /v1/events": ALL,
        "GET /v1/audit": ALL,
        "GET /v1/audit/keys": ALL,
        "GET /v1/audit/checkpoint": ALL,
        "GET /v1/audit/export": ALL,
    },
    "sagemaker-connector": {
        "GET /v1/sources": ALL,
        "GET /v1/sources/{name}": ALL,
        "POST /v1/sources/{name}/sync": OPERATORS,
        "POST /v1/sources/{name}/replay": OPERATORS,
        "POST /v1/sources/{name}/removals": {Role.ADMIN},
        "POST /v1/sources/{name}/test": OPERATORS,
        "GET /v1/sync-runs": ALL,
        "GET /v1/sync-runs/{id}": ALL,
        "GET /v1/write-backs": ALL,
        "GET /v1/hints": ALL,
        "POST /v1/write-backs/{id}/retry": OPERATORS,
        "GET /v1/audit": ALL,
        "GET /v1/audit/keys": ALL,
        "GET /v1/audit/checkpoint": ALL,
        "GET /v1/audit/export": ALL,
    },
}
UNKNOWN = "01980000-0000-7000-8000-000000000000"


@pytest.fixture(params=list(ALLOWED))
async def service(request: pytest.FixtureRequest, database_url: str) -> AsyncIterator[tuple[str, FastAPI]]:
    name: str = request.param
    clock = FrozenClock(datetime(2026, 11, 1, tzinfo=UTC))
    database = Database(database_url, service=name, clock=clock)
    await migrations.upgrade(database, services.PACKAGES[name])

    app = services.app(name, database, clock)
    yield name, app
    await database.close()


async def test_every_route_of_a_service_is_in_the_table_and_no_other(service: tuple[str, FastAPI]) -> None:
    name, app = service
    read = {
        f"{method} {path.replace(':path', '')}": roles for (method, path), roles in http_app.access_table(app).items()
    }
    assert read == {route: frozenset(roles) for route, roles in ALLOWED[name].items()}


async def test_every_route_lets_in_whom_the_table_says_and_nobody_else(service: tuple[str, FastAPI]) -> None:
    name, app = service
    tried = 0
    # So that the stream of events is not one without end.
    away_for_long = {"Last-Event-ID": "9"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://service", headers=away_for_long
    ) as http:
        for route, allowed in ALLOWED[name].items():
            method, path = route.split(" ")
            path = path.replace("{id}", UNKNOWN)
            for part in ("{urn}", "{key}", "{name}"):
                path = path.replace(part, "unknown")
            body: dict[str, str] | None = {} if method in {"POST", "PATCH", "PUT"} else None
            assert (await http.request(method, path, json=body)).status_code == 401, route
            strange = await http.request(method, path, json=body, headers={"Authorization": "Bearer nobody"})
            assert strange.status_code == 401, route
            for role in Role:
                answer = await http.request(method, path, json=body, headers={"Authorization": f"Bearer {role}"})
                assert (answer.status_code == 403) is (role not in allowed), f"{role}: {route}: {answer.text}"
                assert answer.status_code != 401
                assert answer.status_code < 500, f"{role}: {route}: {answer.text}"
                tried += 1
    assert tried == len(ALLOWED[name]) * len(Role)


async def test_who_changes_something_must_have_signed_in_as_is_demanded_and_who_reads_or_asks_need_not(
    service: tuple[str, FastAPI], monkeypatch: pytest.MonkeyPatch
) -> None:
    name, app = service
    monkeypatch.setattr(app.state, "demands", Demands(SystemClock(), ("mfa",)))
    asked = set()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as http:
        for route, allowed in ALLOWED[name].items():
            method, path = route.split(" ")
            for part in ("{id}", "{urn}", "{key}", "{name}"):
                path = path.replace(part, UNKNOWN)
            if method == "GET":
                continue
            for role in allowed - {Role.SERVICE}:
                answer = await http.request(method, path, json={}, headers={"Authorization": f"Bearer {role}"})
                if answer.status_code == 401:
                    assert answer.json()["type"].endswith("/sign-in-again")
                    assert 'acr_values="mfa"' in answer.headers["www-authenticate"]
                    asked.add(route)
            if Role.SERVICE in allowed:
                answer = await http.request(method, path, json={}, headers={"Authorization": "Bearer service"})
                assert answer.status_code != 401, route
    changing = {route for route, allowed in ALLOWED[name].items() if not route.startswith("GET ") and allowed != ALL}
    assert asked == changing
    assert len(asked) >= 3


async def test_what_goes_through_whole_tables_takes_much_of_its_callers_quota(service: tuple[str, FastAPI]) -> None:
    name, app = service
    costly = []
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://service", headers={"Last-Event-ID": "9"}
    ) as http:
        for route, allowed in ALLOWED[name].items():
            # Whole again for each, and standing still.
            app.state.rates = Rates(1000, lambda: 0.0)
            method, path = route.split(" ")
            path = path.replace("{id}", UNKNOWN)
            for part in ("{urn}", "{key}", "{name}"):
                path = path.replace(part, "unknown")
            body: dict[str, str] | None = {} if method in {"POST", "PATCH", "PUT"} else None
            headers = {"Authorization": f"Bearer {sorted(allowed)[0]}"}
            answer = await http.request(method, path, json=body, headers=headers)
            left = answer.headers["RateLimit"].split(";")[1]
            assert left in ("r=999", f"r={1000 - COSTLY}"), route
            if left != "r=999":
                costly.append(route)
    assert set(costly) == EXPENSIVE[name]


async def test_nothing_but_health_metrics_and_the_docs_is_open(service: tuple[str, FastAPI]) -> None:
    name, app = service
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as http:
        document = (await http.get("/openapi.json")).json()
        for path in ("/health/live", "/health/ready", "/metrics", "/docs"):
            assert (await http.get(path)).status_code == 200, path
    closed = [path for path in document["paths"] if path.startswith("/v1/")]
    assert len(closed) == len({route.split(" ")[1] for route in ALLOWED[name]})
    assert all("security" in operation for path in closed for operation in document["paths"][path].values())
