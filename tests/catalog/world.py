"""The catalogue on a real database: told of the world by events, asked over HTTP."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
from assent_catalog import main
from assent_catalog.projection.apply import apply
from assent_catalog.use_cases.custom import CustomFields
from assent_common import canonical, ids, migrations
from assent_common.clock import FrozenClock
from assent_common.database import Database
from assent_common.events import envelope
from assent_common.events.envelope import CloudEvent
from assent_common.events.governance import CandidacyChanged, CandidacyStatus, ReviewedStages, StepChanged
from assent_common.events.model import Payload
from assent_common.events.registry import (
    Census,
    DeploymentObserved,
    Kind,
    Metric,
    ModelObserved,
    ModelVersionObserved,
    Monitor,
    Removed,
    SyncCompleted,
)
from assent_common.health import Health
from assent_common.http import app as http_app
from assent_common.http.problems import Unauthenticated
from assent_common.identity.roles import Principal, Role

MADE_AT = datetime(2026, 10, 1, 12, tzinfo=UTC)
ACCOUNT = "arn:aws:sagemaker:eu-central-1:123456789012"
MODEL = f"{ACCOUNT}:model-package-group/customer-churn"
URN = f"{ACCOUNT}:model-package/customer-churn/7"
ENDPOINT = f"{ACCOUNT}:endpoint/churn-live#main"


def a_model(urn: str = MODEL, **members: Any) -> ModelObserved:
    given: dict[str, Any] = {"urn": urn, "source": "prod-eu", "name": "customer-churn", "created_at": MADE_AT}
    return ModelObserved(**(given | members))


def a_version(urn: str = URN, *, accuracy: float | None = 0.91, **members: Any) -> ModelVersionObserved:
    metrics = {"accuracy": Metric(value=accuracy)} if accuracy is not None else {}
    content = {"artifacts": ["s3://models/churn.tar.gz"], "metrics": {"accuracy": accuracy}}
    given: dict[str, Any] = {
        "urn": urn,
        "source": "prod-eu",
        "model": MODEL,
        "name": "customer-churn",
        "version": 7,
        "type": "binary_classification",
        "framework": "XGBOOST",
        "source_status": "Completed",
        "metrics": metrics,
        "created_at": MADE_AT,
        "content": content,
        "content_hash": canonical.digest(content),
        "raw": {"ModelPackageArn": urn},
    }
    return ModelVersionObserved(**(given | members))


def a_deployment(urn: str = ENDPOINT, **members: Any) -> DeploymentObserved:
    given: dict[str, Any] = {
        "urn": urn,
        "source": "prod-eu",
        "kind": "endpoint",
        "name": "churn-live",
        "variant": "main",
        "model_version": URN,
        "status": "InService",
        "created_at": MADE_AT,
    }
    return DeploymentObserved(**(given | members))


def a_monitor(name: str = "churn-quality", **members: Any) -> Monitor:
    given: dict[str, Any] = {
        "urn": f"{ACCOUNT}:monitoring-schedule/{name}",
        "name": name,
        "type": "ModelQuality",
        "status": "Scheduled",
        "last_execution_status": "CompletedWithViolations",
        "last_execution_at": MADE_AT,
    }
    return Monitor(**(given | members))


def gone(urn: str = URN, kind: Kind = Kind.MODEL_VERSION) -> Removed:
    return Removed(urn=urn, source="prod-eu", kind=kind, removed_at=MADE_AT + timedelta(days=30))


def a_candidacy(
    status: CandidacyStatus = CandidacyStatus.CANDIDATE, urn: str = URN, *, use_case: str = "retention", **members: Any
) -> CandidacyChanged:
    given: dict[str, Any] = {
        "id": ids.of_urn(f"{use_case} {urn}"),
        "use_case": use_case,
        "use_case_id": ids.of_urn(use_case),
        "model_version": urn,
        "version_created_at": MADE_AT,
        "status": status,
        "put_forward_by": "ada",
        "changed_by": "ada",
        "changed_at": MADE_AT + timedelta(days=1),
    }
    return CandidacyChanged(**(given | members))


def a_sync(*, mode: str = "full", **live: int) -> SyncCompleted:
    census = {Kind(kind): Census(live=count, sequences=count) for kind, count in live.items()}
    given: dict[str, Any] = {"source": "prod-eu", "run": "r1", "mode": mode, "changed": 1, "removed": 0}
    return SyncCompleted(**given, started_at=MADE_AT, finished_at=MADE_AT, census=census)


def an_event(payload: Payload, sequence: int, at: datetime = MADE_AT, **cause: str) -> CloudEvent:
    type_, subject = _type_and_subject(payload)
    return envelope.create(
        source="/tests", type=type_, subject=subject, sequence=sequence, time=at, data=payload, **cause
    )


@dataclass
class World:
    database: Database
    http: httpx.AsyncClient
    clock: FrozenClock
    _sequence: int = 0

    async def hears(self, *payloads: Payload, **cause: str) -> list[CloudEvent]:
        """Each told now, with a sequence above all before."""
        events = []
        for payload in payloads:
            self._sequence += 1
            events.append(an_event(payload, self._sequence, self.clock.now(), **cause))
        await self.apply(events)
        return events

    async def apply(self, events: Sequence[CloudEvent]) -> None:
        async with self.database.transaction() as uow:
            await apply(uow, events)

    async def ask(
        self, method: str, path: str, *, by: str = "victor", role: str = "viewer", **kw: Any
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {by}:{role}", **kw.pop("headers", {})}
        return await self.http.request(method, path, headers=headers, **kw)

    async def get(self, path: str, **params: Any) -> Any:
        answer = await self.ask("GET", path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def everything(self, path: str, **params: Any) -> list[dict[str, Any]]:
        """All pages of a list."""
        items: list[dict[str, Any]] = []
        page = await self.get(path, **params)
        items += page["items"]
        while page["next_cursor"] is not None:
            page = await self.get(path, **params, cursor=page["next_cursor"])
            items += page["items"]
        return items

    async def version(self, urn: str = URN, **params: Any) -> dict[str, Any]:
        version: dict[str, Any] = await self.get(f"/v1/model-versions/{ids.of_urn(urn)}", **params)
        return version

    async def create_use_case(self, key: str = "retention", **members: Any) -> httpx.Response:
        body = {"key": key, "name": key.title(), **members}
        answer = await self.ask("POST", "/v1/use-cases", by="bea", role="business_owner", json=body)
        assert answer.status_code == 201, answer.text
        return answer

    async def change_use_case(self, patch: Any, *, key: str = "retention", **kw: Any) -> httpx.Response:
        """On top of what stands, unless told otherwise."""
        if "headers" not in kw:
            stands = await self.ask("GET", f"/v1/use-cases/{key}")
            if stands.status_code != 200:
                return stands
            kw["headers"] = {"If-Match": stands.headers["etag"]}
        by = {"by": "bea", "role": "business_owner"} | kw
        return await self.ask("PATCH", f"/v1/use-cases/{key}", json=patch, **by)

    async def use_case_id(self, key: str = "retention") -> UUID:
        return UUID((await self.get(f"/v1/use-cases/{key}"))["id"])

    async def told(self, type_: str = "") -> list[CloudEvent]:
        """The events in the outbox, in order."""
        async with self.database.connection() as connection:
            rows = await connection.fetch("select body from outbox order by id")
        events = [envelope.from_bytes(row["body"]) for row in rows]
        return [event for event in events if event.type.startswith(f"assent.catalog.{type_}")]


@asynccontextmanager
async def a_world(database_url: str, *, custom: dict[str, Any] | None = None) -> AsyncIterator[World]:
    clock = FrozenClock(datetime(2026, 11, 1, tzinfo=UTC))
    database = Database(database_url, service="catalog-api", clock=clock)
    await migrations.upgrade(database, "assent_catalog")
    app = http_app.build(
        title="catalog",
        version="0",
        description="",
        routers=main.ROUTERS,
        database=database,
        health=Health(clock),
        authenticate=_authenticate,
        state=main.state(CustomFields(custom)),
    )
    try:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://catalog") as http:
            yield World(database, http, clock)
    finally:
        await database.close()


async def _authenticate(token: str) -> Principal:
    """`ada:data_scientist` is who she says she is."""
    subject, _, role = token.partition(":")
    if role not in set(Role):
        raise Unauthenticated("no token of these tests")
    return Principal("https://issuer", subject, frozenset({Role(role)}), subject)


_TYPES: dict[type[Payload], str] = {
    ModelObserved: "model.observed",
    ModelVersionObserved: "model_version.observed",
    DeploymentObserved: "deployment.observed",
}


def _type_and_subject(payload: Payload) -> tuple[str, str]:
    match payload:
        case ModelObserved() | ModelVersionObserved() | DeploymentObserved():
            return f"assent.registry.{_TYPES[type(payload)]}.v1", payload.urn
        case Removed():
            return f"assent.registry.{payload.kind}.removed.v1", payload.urn
        case SyncCompleted():
            return "assent.registry.sync.completed.v1", payload.source
        case CandidacyChanged():
            return "assent.governance.candidacy.changed.v1", str(payload.id)
        case StepChanged():
            return "assent.governance.step.changed.v1", str(payload.id)
        case ReviewedStages():
            return "assent.governance.reviewed_stages.changed.v1", str(ids.of_urn("assent:reviewed-stages"))
    raise TypeError(type(payload))
