"""The workflow on a real database, spoken to over HTTP, told of the world by events."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from assent_common import canonical, ids, migrations
from assent_common.clock import Clock, FrozenClock
from assent_common.database import Database
from assent_common.events import envelope
from assent_common.events.catalog import FacetState, Stage, UseCaseChanged
from assent_common.events.envelope import CloudEvent
from assent_common.events.model import Payload
from assent_common.events.registry import DeploymentObserved, Kind, Metric, ModelVersionObserved, Removed
from assent_common.health import Health
from assent_common.http import app as http_app
from assent_common.identity.roles import Principal, Role
from assent_common.signing import Signer
from assent_workflow import main
from assent_workflow.projection.apply import apply
from fastapi import FastAPI

from tests.support.assent import APPROVERS, FACETS

SIGNER = Signer("11" * 32)
MADE_AT = datetime(2026, 10, 1, 12, tzinfo=UTC)
URN = "arn:aws:sagemaker:eu-central-1:123456789012:model-package/customer-churn/7"

ENDPOINT = "arn:aws:sagemaker:eu-central-1:123456789012:endpoint/churn-live#main"


def a_version(urn: str = URN, *, accuracy: float = 0.91, **members: Any) -> ModelVersionObserved:
    content = {"artifacts": {"0": "s3://models/churn.tar.gz"}, "metrics": {"accuracy": accuracy}}
    given: dict[str, Any] = {
        "urn": urn,
        "source": "prod-eu",
        "name": "customer-churn",
        "version": 7,
        "source_status": "Completed",
        "metrics": {"accuracy": Metric(value=accuracy)},
        "created_at": MADE_AT,
        "content": content,
        "content_hash": canonical.digest(content),
    }
    return ModelVersionObserved(**(given | members))


def a_use_case(
    key: str = "retention", *, missing: Mapping[str, list[str]] | None = None, **members: Any
) -> UseCaseChanged:
    gaps = missing or {}
    facets = {name: facet for name, facet in FACETS.items() if name not in gaps}
    given: dict[str, Any] = {
        "id": ids.of_urn(key),
        "key": key,
        "name": key.title(),
        "stage": Stage.DEVELOPMENT,
        "facets": facets,
        "completeness": {name: FacetState(complete=name not in gaps, missing=gaps.get(name, [])) for name in FACETS},
        "created_at": MADE_AT,
        "created_by": "bea",
        "modified_at": MADE_AT,
        "modified_by": "bea",
    }
    return UseCaseChanged(**(given | members))


def a_deployment(urn: str = ENDPOINT, **members: Any) -> DeploymentObserved:
    given: dict[str, Any] = {
        "urn": urn,
        "source": "prod-eu",
        "kind": "endpoint",
        "name": "churn-live",
        "model_version": URN,
        "status": "InService",
        "created_at": MADE_AT,
    }
    return DeploymentObserved(**(given | members))


def gone(urn: str = ENDPOINT, kind: Kind = Kind.DEPLOYMENT) -> Removed:
    return Removed(urn=urn, source="prod-eu", kind=kind, removed_at=MADE_AT)


@dataclass
class World:
    database: Database
    http: httpx.AsyncClient
    clock: FrozenClock
    app: FastAPI
    _sequence: int = 0
    persons: dict[str, Principal] = field(default_factory=dict)

    async def hears(self, *payloads: Payload) -> list[CloudEvent]:
        events = [self.event(payload) for payload in payloads]
        await self.apply(*events)
        return events

    async def apply(self, *events: CloudEvent) -> None:
        async with self.database.transaction() as uow:
            await apply(uow, events)

    def event(self, payload: Payload) -> CloudEvent:
        self._sequence += 1
        type_, subject = type_and_subject(payload)
        return envelope.create(
            source="/tests", type=type_, subject=subject, sequence=self._sequence, time=self.clock.now(), data=payload
        )

    async def ask(
        self, method: str, path: str, *, by: str = "victor", role: str = "viewer", **kw: Any
    ) -> httpx.Response:
        token = f"{by}:{role}"
        self.persons[token] = Principal("https://issuer", by, frozenset({Role(role)}), by)
        headers = {"Authorization": f"Bearer {token}", **kw.pop("headers", {})}
        return await self.http.request(method, path, headers=headers, **kw)

    async def authenticate(self, token: str) -> Principal:
        return self.persons[token]

    async def put_forward(self, *, by: str = "ada", use_case: str = "retention", submit: bool = True) -> dict[str, Any]:
        body = {"use_case": use_case, "model_version": URN}
        answer = await self.ask("POST", "/v1/candidacies", by=by, role="data_scientist", json=body)
        assert answer.status_code == 201, answer.text
        if submit:
            path = f"/v1/candidacies/{answer.json()['id']}/submit"
            answer = await self.ask("POST", path, by=by, role="data_scientist")
            assert answer.status_code == 200, answer.text
        candidacy: dict[str, Any] = answer.json()
        return candidacy

    async def candidacy(self, id_: str) -> dict[str, Any]:
        answer = await self.ask("GET", f"/v1/candidacies/{id_}")
        assert answer.status_code == 200, answer.text
        candidacy: dict[str, Any] = answer.json()
        return candidacy

    async def tasks(self, candidacy: str, status: str = "open") -> dict[str, dict[str, Any]]:
        answer = await self.ask("GET", "/v1/tasks", params={"candidacy": candidacy, "status": status})
        assert answer.status_code == 200, answer.text
        return {task["role"]: task for task in answer.json()["items"]}

    async def decide(
        self, task: Mapping[str, Any], verdict: str = "approve", *, by: str | None = None, role: str | None = None
    ) -> httpx.Response:
        return await self.ask(
            *("POST", f"/v1/tasks/{task['id']}/decision"),
            by=by or task["role"],
            role=role or task["role"],
            json={"verdict": verdict, "comment": "as discussed"},
        )

    async def approve_all(self, candidacy: str) -> None:
        tasks = await self.tasks(candidacy)
        assert set(tasks) >= set(APPROVERS)
        for task in tasks.values():
            answer = await self.decide(task)
            assert answer.status_code == 200, answer.text

    async def gate(self, use_case: str | None = "retention", model_version: str = URN) -> dict[str, Any]:
        body = {"model_version": model_version} | ({"use_case": use_case} if use_case else {})
        answer = await self.ask("POST", "/v1/gate", by="ci", role="service", json=body)
        assert answer.status_code == 200, answer.text
        verdict: dict[str, Any] = answer.json()
        return verdict

    async def ask_gate(self, **question: Any) -> dict[str, Any]:
        answer = await self.ask("POST", "/v1/gate", by="ci", role="service", json=question)
        assert answer.status_code == 200, answer.text
        verdict: dict[str, Any] = answer.json()
        return verdict

    async def told(self, type_: str) -> list[CloudEvent]:
        """The events of a type in the outbox, in order."""
        async with self.database.connection() as connection:
            rows = await connection.fetch("select body from outbox order by id")
        events = [envelope.from_bytes(row["body"]) for row in rows]
        return [event for event in events if event.type == type_]


@asynccontextmanager
async def a_world(database_url: str) -> AsyncIterator[World]:
    # The gate asks the database for the time, so the clock begins at the present.
    clock = FrozenClock(datetime.now(UTC) - timedelta(seconds=5))  # noqa: TID251
    database = Database(database_url, service="workflow", clock=clock)
    await migrations.upgrade(database, "assent_workflow")
    persons: dict[str, Principal] = {}

    async def authenticate(token: str) -> Principal:
        return persons[token]

    app = an_app(database, clock, authenticate)
    try:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://workflow") as http:
            yield World(database, http, clock, app, persons=persons)
    finally:
        await database.close()


def an_app(database: Database, clock: Clock, authenticate: Callable[[str], Awaitable[Principal]]) -> FastAPI:
    return http_app.build(
        title="workflow",
        version="0",
        description="",
        routers=main.ROUTERS,
        database=database,
        health=Health(clock),
        authenticate=authenticate,
        state={"signer": SIGNER},
    )


def type_and_subject(payload: Payload) -> tuple[str, str]:
    match payload:
        case ModelVersionObserved():
            return "assent.registry.model_version.observed.v1", payload.urn
        case Removed(kind=Kind.MODEL_VERSION):
            return "assent.registry.model_version.removed.v1", payload.urn
        case DeploymentObserved():
            return "assent.registry.deployment.observed.v1", payload.urn
        case Removed(kind=Kind.DEPLOYMENT):
            return "assent.registry.deployment.removed.v1", payload.urn
        case UseCaseChanged():
            return "assent.catalog.use_case.changed.v1", str(payload.id)
    raise TypeError(type(payload))
