"""Whose it is: each route at which a role is not enough, for every role in every part, against a table by hand.

The parts are those of one review: who put the version forward, who stands in for one of those asked, whom the use case
names, who has a task, who gave a delegation, and somebody of the same role who is none of these.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import httpx
import pytest
import yaml
from assent_common import migrations
from assent_common.clock import FrozenClock
from assent_common.database import Database
from assent_common.http import app as http_app
from assent_common.identity.roles import Role, Whose
from assent_workflow.external.secrets import Secrets

from tests.contract import services
from tests.contract.test_access import ALL, ALLOWED, APPROVERS, DESCRIBERS, GUARDIANS, UNKNOWN
from tests.workflow.world import URN, World, a_deployment, a_use_case, a_version, a_world


class Part(StrEnum):
    """By the subject of the token, whatever its role."""

    STRANGER = "stan"
    PROPOSER = "ada"
    STANDS_IN = "rosa"
    NAMED = "Bea"
    HAS_THE_TASK = "hilda"
    GAVE_IT = "lucia"


#: What the services themselves say must be exactly this.
WHOSE: dict[str, dict[str, Whose]] = {
    "catalog-api": {},
    "workflow": {
        "POST /v1/tasks/{id}/decision": Whose.DECIDERS,
        "POST /v1/tasks/{id}/claim": Whose.DECIDERS,
        "POST /v1/tasks/{id}/release": Whose.HOLDERS,
        "POST /v1/reviews/{id}/comments": Whose.PARTICIPANTS,
        "POST /v1/reviews/{id}/evidence": Whose.PARTICIPANTS,
        "POST /v1/reviews/{id}/checks/{name}/ask": Whose.PARTICIPANTS,
        "POST /v1/candidacies/{id}/override": Whose.NAMED_BY_POLICY,
        "POST /v1/delegations": Whose.HIS_OWN,
        "DELETE /v1/delegations/{id}": Whose.GIVERS,
        "GET /v1/contacts/mine": Whose.HIS_OWN,
        "PUT /v1/contacts/mine": Whose.HIS_OWN,
        "POST /v1/findings/{id}/accept-risk": Whose.NOT_THE_PROPOSERS,
        "POST /v1/findings/{id}/resolve": Whose.NOT_THE_PROPOSERS,
    },
    "sagemaker-connector": {},
}

LEGAL, RISK, OWNER = Role.LEGAL, Role.RISK, Role.BUSINESS_OWNER
LEADS = {RISK, Role.ADMIN}
EVERY_APPROVER = APPROVERS - {Role.ADMIN}
#: What the policy of the trial asks; risk may stand in for legal.
ASKED = {LEGAL, OWNER, Role.SECURITY}

#: Route, of what → with which roles each part is let in; who is not named here is let in as a stranger is.
LET_IN: dict[tuple[str, str], dict[Part, set[Role] | frozenset[Role]]] = {
    ("POST /v1/tasks/{id}/decision", "legal task"): {
        Part.STRANGER: {LEGAL},
        Part.PROPOSER: set(),
        Part.STANDS_IN: {LEGAL, RISK},
    },
    ("POST /v1/tasks/{id}/decision", "business_owner task"): {
        Part.STRANGER: set(),
        Part.NAMED: {OWNER},
    },
    ("POST /v1/tasks/{id}/claim", "legal task"): {
        Part.STRANGER: {LEGAL},
        Part.PROPOSER: set(),
        Part.STANDS_IN: {LEGAL, RISK},
    },
    ("POST /v1/tasks/{id}/release", "security task"): {
        Part.STRANGER: LEADS,
        Part.HAS_THE_TASK: APPROVERS,
    },
    ("POST /v1/reviews/{id}/comments", "review"): {
        Part.STRANGER: ASKED,
        Part.PROPOSER: EVERY_APPROVER,
        Part.STANDS_IN: EVERY_APPROVER,
        Part.NAMED: EVERY_APPROVER,
    },
    ("POST /v1/reviews/{id}/evidence", "review"): {
        Part.STRANGER: ASKED,
        Part.PROPOSER: EVERY_APPROVER,
        Part.STANDS_IN: EVERY_APPROVER,
        Part.NAMED: EVERY_APPROVER,
    },
    ("POST /v1/reviews/{id}/checks/{name}/ask", "review"): {
        Part.STRANGER: ASKED,
        Part.PROPOSER: EVERY_APPROVER,
        Part.STANDS_IN: EVERY_APPROVER,
        Part.NAMED: EVERY_APPROVER,
    },
    ("POST /v1/candidacies/{id}/override", "candidacy"): {
        Part.STRANGER: {RISK},
        Part.PROPOSER: set(),
    },
    ("POST /v1/delegations", "nothing"): {Part.STRANGER: {LEGAL}},
    ("DELETE /v1/delegations/{id}", "delegation"): {
        Part.STRANGER: {Role.ADMIN},
        Part.GAVE_IT: APPROVERS,
    },
    ("POST /v1/findings/{id}/accept-risk", "finding"): {
        Part.STRANGER: GUARDIANS,
        Part.PROPOSER: set(),
    },
    ("POST /v1/findings/{id}/resolve", "finding"): {
        Part.STRANGER: GUARDIANS,
        Part.PROPOSER: set(),
    },
    ("GET /v1/contacts/mine", "nothing"): {Part.STRANGER: ALL},
    ("PUT /v1/contacts/mine", "nothing"): {Part.STRANGER: ALL},
    # Nobody's in particular: another's is as good as one's own.
    ("POST /v1/tasks/{id}/assign", "legal task"): {Part.STRANGER: LEADS},
    ("POST /v1/candidacies/{id}/submit", "candidate"): {Part.STRANGER: {Role.DATA_SCIENTIST}},
    ("POST /v1/candidacies/{id}/withdraw", "candidacy"): {Part.STRANGER: {Role.DATA_SCIENTIST}},
    ("POST /v1/candidacies/{id}/suspend", "accepted"): {Part.STRANGER: GUARDIANS},
    ("POST /v1/candidacies/{id}/retire", "accepted"): {Part.STRANGER: GUARDIANS},
}
POLICY = {
    "name": "default",
    "version": 2,
    "valid_for": "P365D",
    "override": {"by": ["risk"], "valid_for": "P3D"},
    # Nobody asks it: there is no such duty here.
    "checks": [
        {"name": "fair", "description": "It is fair.", "external": {"url": "https://checks.example.com/"}},
    ],
    "separation_of_duties": {"one_person_one_task": False},
    "stages": [
        {
            "name": "all",
            "approvals": [
                {"role": "legal", "due_in": "P5D", "substitutes": ["risk"]},
                {"role": "security", "due_in": "P5D"},
                {"role": "business_owner", "due_in": "P5D", "accountable": True},
            ],
        }
    ],
}
#: What was let in may be tried again on the same thing.
LEAVE_IT_AS_IT_IS = {
    *("POST /v1/reviews/{id}/comments", "POST /v1/reviews/{id}/evidence", "POST /v1/delegations"),
    "POST /v1/reviews/{id}/checks/{name}/ask",
    *("GET /v1/contacts/mine", "PUT /v1/contacts/mine", "POST /v1/tasks/{id}/assign", "POST /v1/findings/{id}/resolve"),
}
PROPOSES = (Part.PROPOSER, "data_scientist")
DIGEST = "0" * 64
BODIES: dict[str, dict[str, Any]] = {
    "POST /v1/tasks/{id}/decision": {"verdict": "approve", "comment": "as discussed"},
    "POST /v1/tasks/{id}/assign": {"assignee": "lara"},
    "POST /v1/reviews/{id}/comments": {"body": "Why?"},
    "POST /v1/reviews/{id}/evidence": {
        "name": "DPIA",
        "uri": "https://example.com/dpia.pdf",
        "sha256": DIGEST,
        "media_type": "application/pdf",
    },
    "POST /v1/candidacies/{id}/override": {"reason": "the old model fails customers tonight"},
    "PUT /v1/contacts/mine": {"gathers": "daily"},
}


@dataclass
class Stage:
    """Everybody in their part, and what is asked about, set anew when somebody was let in and changed it."""

    world: World
    number: int = 6
    ids: dict[str, str] = field(default_factory=dict)

    async def once(self) -> None:
        self.world.app.state.external_secrets = Secrets("ab" * 32)
        await self.told("POST", "/v1/policies", "anton", "admin", text=yaml.safe_dump(POLICY))
        await self.told("POST", "/v1/delegations", "lucia", "legal", **self.standing_in(Part.STANDS_IN))

    async def of(self, what: str) -> str:
        if what not in self.ids:
            self.ids[what] = await self._set(what)
        return self.ids[what]

    async def _set(self, what: str) -> str:
        match what:
            case "nothing":
                return UNKNOWN
            case "delegation":
                made = await self.told("POST", "/v1/delegations", Part.GAVE_IT, "legal", **self.standing_in("sabine"))
                return str(made["id"])
            case "finding":
                return await self._finding()
            case "candidate":
                return str((await self._proposed())["id"])
        candidacy = await self._proposed()
        submitted = await self.told("POST", f"/v1/candidacies/{candidacy['id']}/submit", *PROPOSES)
        if what == "review":
            return str(submitted["review"])
        if what.endswith(" task"):
            task = (await self.world.tasks(candidacy["id"]))[what.removesuffix(" task")]["id"]
            if what == "security task":
                await self.told("POST", f"/v1/tasks/{task}/claim", Part.HAS_THE_TASK, "security")
            return str(task)
        if what == "accepted":
            await self.told("POST", f"/v1/candidacies/{candidacy['id']}/override", "rita", "risk", reason="staged")
        return str(candidacy["id"])

    async def _proposed(self) -> dict[str, Any]:
        self.number += 1
        urn = URN.replace("/7", f"/{self.number}")
        await self.world.hears(a_version(urn, version=self.number))
        return await self.told("POST", "/v1/candidacies", *PROPOSES, use_case="retention", model_version=urn)

    async def _finding(self) -> str:
        urn = (await self._proposed())["model_version"]
        await self.world.hears(a_deployment(f"{urn}#main", model_version=urn))
        async with self.world.database.connection() as connection:
            return str(await connection.fetchval("select id from findings where model_version = $1", urn))

    async def told(self, method: str, path: str, by: str, as_: str, /, **body: Any) -> dict[str, Any]:
        answer = await self.world.ask(method, path, by=by, role=as_, json=body or None)
        assert answer.status_code < 300, f"{path}: {answer.text}"
        return dict(answer.json()) if answer.content else {}

    def standing_in(self, substitute: str) -> dict[str, str]:
        ends_at = (self.world.clock.now() + timedelta(days=7)).isoformat()
        return {"role": "legal", "substitute": substitute, "ends_at": ends_at, "reason": "on leave"}

    def body(self, route: str) -> dict[str, Any] | None:
        if route == "POST /v1/delegations":
            return self.standing_in("sabine")
        if route == "POST /v1/findings/{id}/accept-risk":
            return {"until": (self.world.clock.now() + timedelta(days=7)).isoformat(), "reason": "replaced soon"}
        if route == "POST /v1/findings/{id}/resolve":
            return {"reason": "put back at once"}
        return BODIES.get(route)


@pytest.fixture
async def stage(database_url: str) -> AsyncIterator[Stage]:
    async with a_world(database_url) as world:
        await world.hears(a_use_case())
        stage = Stage(world)
        await stage.once()
        yield stage


@pytest.mark.parametrize("name", list(WHOSE))
async def test_what_a_service_says_is_whose_is_what_the_table_says(name: str, database_url: str) -> None:
    database = Database(database_url, service=name, clock=FrozenClock(datetime(2026, 11, 1, tzinfo=UTC)))
    try:
        table = http_app.ownership_table(services.app(name, database, database.clock))
    finally:
        await database.close()
    read = {f"{method} {path}": whose for (method, path), whose in table.items() if whose is not Whose.ANYBODYS}
    assert read == WHOSE[name]
    assert len(table) == len(ALLOWED[name])


def test_every_route_at_which_a_role_is_not_enough_is_tried() -> None:
    assert set(WHOSE["workflow"]) <= {route for route, _ in LET_IN}
    assert {route for route, _ in LET_IN} <= set(ALLOWED["workflow"])
    for (route, _), parts in LET_IN.items():
        assert all(roles <= ALLOWED["workflow"][route] for roles in parts.values()), route


async def test_every_part_with_every_role_is_let_in_where_the_table_says_and_nowhere_else(stage: Stage) -> None:
    """With every role, that is, that comes through the door: the others are tried beside this."""
    refused = let_in = 0
    for (route, what), parts in LET_IN.items():
        method, path = route.split(" ")
        for part in _tried(route, parts):
            allowed = parts.get(part, parts[Part.STRANGER])
            for role in sorted(ALLOWED["workflow"][route]):
                target = path.replace("{id}", await stage.of(what)).replace("{name}", "fair")
                answer = await stage.world.ask(method, target, by=part, role=role, json=stage.body(route))
                tried = f"{part.name} as {role}: {route} of {what}: {answer.status_code} {answer.text}"
                if role in allowed:
                    assert answer.status_code in _answers(route), tried
                    let_in += 1
                else:
                    assert answer.status_code == 403, tried
                    refused += 1
                if role in allowed and route not in LEAVE_IT_AS_IT_IS:
                    del stage.ids[what]
    assert refused + let_in == sum(
        len(_tried(route, parts)) * len(ALLOWED["workflow"][route]) for (route, _), parts in LET_IN.items()
    )
    assert min(refused, let_in) > 80


async def test_what_is_not_there_is_not_there_for_who_would_be_let_in(stage: Stage) -> None:
    tried = 0
    for (route, _), parts in LET_IN.items():
        if "{id}" in route:
            method, path = route.split(" ")
            part, roles = next((part, roles) for part, roles in parts.items() if roles)
            target = path.replace("{id}", UNKNOWN).replace("{name}", "fair")
            answer = await stage.world.ask(method, target, by=part, role=min(roles), json=stage.body(route))
            assert answer.status_code == 404, f"{route}: {answer.text}"
            tried += 1
    assert tried > 10


async def test_nobody_reads_or_changes_what_another_wants_to_be_told(stage: Stage) -> None:
    ask = stage.world.ask
    mine = "/v1/contacts/mine"
    assert (await ask("PUT", mine, by="lucia", role="legal", json={"gathers": "daily"})).status_code == 200
    assert (await ask("PUT", mine, by="sven", role="security", json={"muted": True})).status_code == 200
    hers, his = await ask("GET", mine, by="lucia", role="legal"), await ask("GET", mine, by="sven", role="security")
    assert (hers.json()["name"], hers.json()["gathers"], hers.json()["muted"]) == ("lucia", "daily", False)
    assert (his.json()["name"], his.json()["gathers"], his.json()["muted"]) == ("sven", None, True)
    for path in (f"/v1/contacts/{hers.json()['id']}", "/v1/contacts"):
        method = "GET" if path.endswith("contacts") else "DELETE"
        assert (await ask(method, path, by="sven", role="security")).status_code == 403
    for field_ in ("name", "kind", "emails"):
        sent = {"gathers": "daily", field_: "lucia"}
        assert (await ask("PUT", mine, by="sven", role="security", json=sent)).status_code == 422


async def test_an_answer_that_was_kept_for_one_is_not_given_to_another(stage: Stage) -> None:
    """A key of idempotency is its sender's own, with whatever role."""
    path = f"/v1/reviews/{await stage.of('review')}/comments"
    headers, body = {"Idempotency-Key": "guessed"}, {"body": "Why?"}
    first = await stage.world.ask("POST", path, by="ada", role="data_scientist", json=body, headers=headers)
    assert first.status_code == 201
    other = await stage.world.ask("POST", path, by="lucia", role="legal", json=body, headers=headers)
    assert other.status_code == 201
    assert other.json()["id"] != first.json()["id"]
    stranger = await stage.world.ask("POST", path, by="stan", role="risk", json=body, headers=headers)
    assert stranger.status_code == 403


async def test_a_use_case_is_written_by_those_roles_whoever_owns_it(database_url: str) -> None:
    """As the design has it: who is named accountable is told and asked, but owns no right to write."""
    clock = FrozenClock(datetime(2026, 11, 1, tzinfo=UTC))
    database = Database(database_url, service="catalog-api", clock=clock)
    await migrations.upgrade(database, "assent_catalog")
    app = services.app("catalog-api", database, clock)
    try:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://catalog") as http:

            async def ask(method: str, path: str, role: Role, body: Any, match: str | None = None) -> httpx.Response:
                headers = {"Authorization": f"Bearer {role}"} | ({"If-Match": match} if match else {})
                return await http.request(method, path, json=body, headers=headers)

            await _by_role_alone(ask)
    finally:
        await database.close()


async def _by_role_alone(ask: Callable[..., Awaitable[httpx.Response]]) -> None:
    named = {"accountability": {"business_owner": "somebody", "legal": "somebody"}}
    made = await ask("POST", "/v1/use-cases", OWNER, {"key": "churn", "name": "Churn", "facets": named})
    assert made.status_code == 201, made.text
    match = made.headers["etag"]
    for role in Role:
        answer = await ask("PATCH", "/v1/use-cases/churn", role, {"description": f"by {role}"}, match)
        assert (answer.status_code == 403) is (role not in DESCRIBERS), f"{role}: {answer.text}"
        match = answer.headers.get("etag", match)


def _tried(route: str, parts: Collection[Part]) -> list[Part]:
    """Those that the table names, a stranger, who put it forward, and one who is to the thing as a stranger is."""
    if route not in WHOSE["workflow"]:
        return [Part.STRANGER, Part.PROPOSER]
    other = next(part for part in Part if part not in parts and part is not Part.PROPOSER)
    return [part for part in Part if part in {*parts, Part.PROPOSER, other}]


def _answers(route: str) -> set[int]:
    if route == "GET /v1/contacts/mine":
        return {200, 404}
    # What lasts ends by itself: he is let in, and told so.
    return {409} if route == "POST /v1/findings/{id}/resolve" else {200, 201, 202, 204}
