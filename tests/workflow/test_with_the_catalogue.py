"""The catalogue and the workflow tell each other: a use case proposed there is judged here, and goes on there."""

import io
import secrets
from collections.abc import AsyncIterator
from typing import Any

import pytest
from assent_client import Catalog, Connection, Workflow
from assent_common.events.envelope import CloudEvent
from assent_local import use_cases
from assent_local.postgres import Databases
from rich.console import Console

from tests.catalog import world as catalogue
from tests.support.assent import FACETS
from tests.workflow.test_use_case_steps import POLICY
from tests.workflow.world import World


class Both:
    """What one tells, the other hears: all of it each time, as after a replay."""

    def __init__(self, workflow: World, catalog: catalogue.World) -> None:
        self.workflow = workflow
        self.catalog = catalog

    async def told(self) -> None:
        for _ in range(2):
            use_cases = await self.catalog.told("use_case")
            await self.workflow.apply(*use_cases, *reversed(use_cases))
            said = await self._said()
            await self.catalog.apply([*reversed(said), *said])

    async def _said(self) -> list[CloudEvent]:
        names = ("step.changed", "reviewed_stages.changed")
        return [event for name in names for event in await self.workflow.told(f"assent.governance.{name}.v1")]

    async def owner(self, path: str, json: Any, method: str = "POST") -> Any:
        path = f"/v1/use-cases/retention{path}"
        answer = await self.catalog.ask(method, path, by="bea", role="business_owner", json=json)
        assert answer.status_code < 300, answer.text
        await self.told()
        return answer.json()

    async def use_case(self) -> Any:
        return await self.catalog.get("/v1/use-cases/retention")

    async def decide(self, role: str, verdict: str = "approve") -> None:
        answer = await self.workflow.ask("GET", "/v1/tasks", params={"about": "use_case", "status": "open"})
        [task] = [task for task in answer.json()["items"] if task["role"] == role]
        decided = await self.workflow.decide(task, verdict)
        assert decided.status_code == 200, decided.text
        await self.told()


@pytest.fixture
async def both(world: World, postgres_server: Databases) -> AsyncIterator[Both]:
    name = f"catalogue_{secrets.token_hex(4)}"
    await postgres_server.create_database(name)
    async with catalogue.a_world(postgres_server.url(name)) as catalog:
        await catalog.create_use_case(facets=FACETS)
        yield Both(world, catalog)
    await postgres_server.drop_database(name)


async def test_it_goes_from_idea_to_the_archive_by_what_is_decided(both: Both) -> None:
    assert (await both.owner("/stage", {"stage": "development"}))["stage"] == "development"
    answer = await both.workflow.ask("POST", "/v1/policies", role="admin", json={"text": POLICY})
    assert answer.status_code == 201, answer.text
    await both.told()
    by_hand = await both.catalog.ask(
        *("POST", "/v1/use-cases/retention/stage"), by="bea", role="business_owner", json={"stage": "monitoring"}
    )
    assert by_hand.status_code == 409
    await both.owner("/proposal", {"stage": "monitoring"})
    assert (await both.use_case())["outcome"]["status"] == "under_review"
    await both.decide("business_owner", "request_changes")
    now = await both.use_case()
    assert (now["stage"], now["proposal"], now["outcome"]["status"]) == ("development", None, "changes_requested")
    assert "as discussed" in now["outcome"]["reason"]
    await both.owner("/proposal", {"stage": "monitoring"})
    await both.decide("business_owner")
    await both.decide("legal")
    now = await both.use_case()
    assert (now["stage"], now["outcome"]["status"]) == ("monitoring", "accepted")
    # What no policy asks for is let go at once.
    await both.owner("/proposal", {"stage": "rejected"})
    assert (await both.use_case())["stage"] == "rejected"
    steps = (await both.workflow.ask("GET", "/v1/use-case-steps")).json()["items"]
    assert [(step["to"], step["status"]) for step in steps] == [
        ("rejected", "not_asked"),
        ("monitoring", "retired"),
        ("monitoring", "withdrawn"),
    ]


async def test_what_is_taken_back_there_asks_nobody_here(both: Both) -> None:
    assert (await both.workflow.ask("POST", "/v1/policies", role="admin", json={"text": POLICY})).status_code == 201
    await both.owner("/proposal", {"stage": "development"})
    await both.owner("/proposal", None, "DELETE")
    answer = await both.workflow.ask("GET", "/v1/tasks", params={"about": "use_case", "status": "open"})
    assert answer.json()["items"] == []
    assert (await both.use_case())["stage"] == "ideation"


async def test_it_is_proposed_and_followed_from_the_command_line(both: Both) -> None:
    said = io.StringIO()
    out = Console(file=said, width=300)
    catalog = Catalog(Connection(both.catalog.http, "http://catalog", token="bea:business_owner"))
    await use_cases.propose(out, catalog, "retention", "development", reason=None, as_json=False)
    await use_cases.take_back(out, catalog, "retention", as_json=False)
    await use_cases.propose(out, catalog, "retention", "archived", reason="done", as_json=False)
    await both.told()
    await both.workflow.ask("GET", "/v1/use-case-steps")
    workflow = Workflow(Connection(both.workflow.http, "http://workflow", token="victor:viewer"))
    await use_cases.steps(out, workflow, "retention", as_json=False)
    first, back, _, step = said.getvalue().splitlines()
    assert first.startswith("retention is proposed for development, as step ")
    assert back == "retention is not proposed any more"
    assert step.endswith("retention to archived: not asked (no policy asks for a review of a step to archived)")
