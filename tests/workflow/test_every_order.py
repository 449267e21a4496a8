"""Two who act on one candidacy at once, in every order of their statements: it ends as if one came after the other."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from assent_common import canonical
from assent_common.events.registry import Kind, Removed
from assent_workflow import subjects
from assent_workflow.candidacies import store
from assent_workflow.timers import store as timers
from assent_workflow.timers.fire import fire

from tests.workflow import orders
from tests.workflow.world import World, a_use_case, a_version

LOCKS = {
    *(subjects.USE_CASE_BY_KEY, subjects.VERSION_BY_NAME, subjects.SUBJECT_OF, subjects.USE_CASE_OF_STEP),
    *(subjects.USE_CASES_CONCERNED, subjects.VERSIONS_CONCERNED, store.LOCK, timers.CLAIM, "COMMIT;"),
}
POLICY = {
    "name": "default",
    "version": 2,
    "checks": [
        {"name": "described", "description": "So it is.", "expression": "use_case.missing.size() == 0"},
    ],
    "stages": [
        {"name": "all", "approvals": [{"role": "legal", "due_in": "P5D"}, {"role": "security", "due_in": "P5D"}]}
    ],
    "valid_for": "P30D",
    "on_content_change": {"description": "keep", "otherwise": "suspend"},
    "override": {"by": ["risk"], "valid_for": "P7D"},
}
URN = "arn:aws:sagemaker:eu-central-1:123456789012:model-package/in-order/{}"
NUMBERS = count(1)


@dataclass
class Story:
    """One candidacy of a use case and a version of its own."""

    world: World
    number: int
    id: str = ""

    @property
    def key(self) -> str:
        return f"in-order-{self.number}"

    @property
    def urn(self) -> str:
        return URN.format(self.number)

    async def tell(self, description: str = "as judged", accuracy: float = 0.9) -> str:
        content = {"description": description, "metrics": {"accuracy": accuracy}}
        version = a_version(self.urn, accuracy=accuracy, content=content, content_hash=canonical.digest(content))
        await self.world.hears(version)
        return "heard"

    async def put_forward(self) -> int:
        body = {"use_case": self.key, "model_version": self.urn}
        answer = await self.world.ask("POST", "/v1/candidacies", by="ada", role="data_scientist", json=body)
        self.id = answer.json().get("id", self.id)
        return answer.status_code

    async def move(self, how: str, role: str) -> int:
        body = {"reason": "as discussed"} if how != "submit" else None
        path = f"/v1/candidacies/{self.id}/{how}"
        return (await self.world.ask("POST", path, by=f"{role}-guardian", role=role, json=body)).status_code

    async def decide(self, verdict: str, by: str, role: str = "legal") -> int:
        async with self.world.database.connection() as connection:
            id_ = await connection.fetchval(
                "select id from tasks where candidacy = $1 and role = $2 order by id limit 1", self.id, role
            )
        return (await self.world.decide({"id": id_, "role": role}, verdict, by=by)).status_code

    async def let_expire(self) -> str:
        async with self.world.database.connection() as connection:
            timer = await connection.fetchval("select id from timers where subject = $1 and kind = 'expiry'", self.id)
        if timer is not None:
            async with self.world.database.transaction() as uow:
                await fire(uow, at=self.world.clock.now() + timedelta(days=31), only=timer)
        return "passed"

    async def remove(self) -> str:
        gone = Removed(urn=self.urn, source="prod-eu", kind=Kind.MODEL_VERSION, removed_at=self.world.clock.now())
        await self.world.hears(gone)
        return "heard"

    async def describe(self, *missing: str) -> str:
        await self.world.hears(a_use_case(self.key, missing={"impact": list(missing)} if missing else None))
        return "heard"


Act = Callable[[Story], Awaitable[Any]]
ACTS: Mapping[str, Act] = {
    "approve": lambda story: story.decide("approve", "lucia"),
    "approve, too": lambda story: story.decide("approve", "leo"),
    "reject": lambda story: story.decide("reject", "leo"),
    "request changes": lambda story: story.decide("request_changes", "leo"),
    "withdraw": lambda story: story.move("withdraw", "data_scientist"),
    "override": lambda story: story.move("override", "risk"),
    "submit": lambda story: story.move("submit", "data_scientist"),
    "suspend": lambda story: story.move("suspend", "risk"),
    "retire": lambda story: story.move("retire", "security"),
    "change": lambda story: story.tell(accuracy=0.5),
    "change what is kept": lambda story: story.tell("written anew"),
    "undescribe": lambda story: story.describe("human_oversight"),
    "remove": Story.remove,
    "expire": Story.let_expire,
    "put forward": Story.put_forward,
}
#: What its source tells of the version: of two such, the one that comes late has been overtaken.
TOLD = {"change", "change what is kept", "remove"}
UNDER_REVIEW = [
    *("approve", "approve, too", "reject", "request changes", "withdraw", "override", "change", "change what is kept"),
    *("undescribe", "remove"),
]
ACCEPTED = ["suspend", "retire", "change", "change what is kept", "remove", "expire"]
SUSPENDED = ["submit", "retire", "change", "remove"]
FEW = [
    *[("under review", *pair) for pair in (("approve", "withdraw"), ("approve", "change"), ("withdraw", "change"))],
    *[("under review", *pair) for pair in (("approve", "approve, too"), ("override", "approve"))],
    ("accepted", "suspend", "change what is kept"),
    ("suspended", "submit", "change"),
    ("unknown", "put forward", "remove"),
]
EVERY = [
    (status, one, other)
    for status, acts in (("under review", UNDER_REVIEW), ("accepted", ACCEPTED), ("suspended", SUSPENDED))
    for number, one in enumerate(acts)
    for other in acts[number + 1 :]
]


@pytest.fixture
async def stopped(database_url: str) -> AsyncIterator[World]:
    async with orders.stopped(database_url, POLICY) as world:
        yield world


@pytest.mark.parametrize(("status", "one", "other"), EVERY + FEW[-1:] if orders.ALL else FEW)
async def test_whoever_comes_between_it_ends_as_if_one_came_after_the_other(
    stopped: World, database_plain_url: str, status: str, one: str, other: str
) -> None:
    async def prepared() -> Story:
        story = Story(stopped, next(NUMBERS))
        await story.describe()
        await story.tell()
        if status != "unknown":
            await story.put_forward()
            assert await story.move("submit", "data_scientist") == 200
            assert await story.decide("approve", "sam", "security") == 200
        if status in ("accepted", "suspended"):
            assert await story.decide("approve", "lucia") == 200
        if status == "suspended":
            assert await story.move("suspend", "risk") == 200
        return story

    # It leaves alone what somebody else is about, and comes again.
    comes_again = Story.let_expire if "expire" in (one, other) else None
    seen = await orders.tried(
        *(database_plain_url, prepared, (ACTS[one], ACTS[other]), _end),
        locks=LOCKS,
        afterwards=comes_again,
        told_of_one={one, other} <= TOLD,
    )
    assert seen > 2


async def _end(story: Story) -> Any:
    """All that it comes to."""
    async with story.world.database.connection() as connection:
        rows = await connection.fetch("select * from candidacies where model_version = $1", story.urn)
        tasks = await connection.fetch(
            """select r.status as review, r.content_hash, t.stage, t.role, t.status, t.decided_by,
                      t.dismissed is not null as dismissed
                 from tasks t join reviews r on r.id = t.review join candidacies c on c.id = t.candidacy
                where c.model_version = $1 order by t.review, t.stage, t.role, t.id""",
            story.urn,
        )
        audit = await connection.fetch(
            """select a.action from audit a join candidacies c on a.subject = c.id::text
                where c.model_version = $1 order by a.id""",
            story.urn,
        )
        told = await connection.fetch(
            """select o.sequence from outbox o join candidacies c on o.key = c.id::text
                where c.model_version = $1 order by o.id""",
            story.urn,
        )
    assert [row["sequence"] for row in told] == list(range(1, len(told) + 1))
    return (
        [(row["status"], row["content_hash"], row["overridden_by"], row["sequence"]) for row in rows],
        [tuple(row) for row in tasks],
        [row["action"] for row in audit],
    )
