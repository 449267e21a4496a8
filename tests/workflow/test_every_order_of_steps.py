"""Of a use case's step: decision, withdrawal, change and time at once, in every order of their statements."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from assent_common import ids
from assent_common.events.catalog import Proposal, Stage
from assent_workflow import subjects
from assent_workflow.candidacies import store
from assent_workflow.timers import store as timers
from assent_workflow.timers.fire import fire

from tests.support.assent import FACETS
from tests.workflow import orders
from tests.workflow.orders import Act
from tests.workflow.world import MADE_AT, World, a_use_case

LOCKS = {
    *(subjects.SUBJECT_OF, subjects.USE_CASE_OF_STEP, subjects.USE_CASES_CONCERNED, store.LOCK, store.STEPS_OF),
    *(timers.CLAIM_STEPS, "COMMIT;"),
}
POLICY = {
    "name": "of-use-cases",
    "version": 1,
    "subject": "use_case",
    "steps": ["development", "monitoring"],
    "checks": [
        {"name": "described", "description": "So it is.", "expression": "use_case.missing.size() == 0"},
    ],
    "stages": [
        {"name": "all", "approvals": [{"role": "legal", "due_in": "P5D"}, {"role": "security", "due_in": "P5D"}]}
    ],
    "valid_for": "P30D",
    "on_content_change": {"data": "keep", "otherwise": "review"},
}
NUMBERS = count(1)


@dataclass
class Story:
    """One use case and its steps."""

    world: World
    number: int
    steps: list[Proposal] = field(default_factory=list)

    @property
    def key(self) -> str:
        return f"steps-in-order-{self.number}"

    async def propose(self, to: Stage) -> str:
        id_ = ids.new()
        self.steps.append(Proposal(id=id_, to=to, proposed_by="bea", issuer="https://issuer", proposed_at=MADE_AT))
        return await self.tell(proposal=self.steps[-1])

    async def tell(self, *, facet: str | None = None, missing: str | None = None, **members: Any) -> str:
        """The whole state, as the catalogue does: what is proposed last is, unless it is said otherwise."""
        facets = {name: each for name, each in FACETS.items() if name != missing}
        if facet is not None:
            facets[facet] = {**facets[facet], "note": "written anew"}
        proposal = members.pop("proposal", self.steps[-1])
        gaps = {missing: ["human_oversight"]} if missing else None
        told = a_use_case(self.key, name="In order", missing=gaps, facets=facets, proposal=proposal, **members)
        await self.world.hears(told)
        return "heard"

    async def decide(self, verdict: str, by: str, role: str = "legal", step: int = 0) -> int:
        async with self.world.database.connection() as connection:
            id_ = await connection.fetchval(
                "select id from tasks where candidacy = $1 and role = $2 order by id desc limit 1",
                *(self.steps[step].id, role),
            )
        return (await self.world.decide({"id": id_, "role": role}, verdict, by=by)).status_code

    async def let_expire(self) -> str:
        async with self.world.database.connection() as connection:
            timer: UUID | None = await connection.fetchval(
                "select id from timers where subject = $1 and kind = 'expiry'", self.steps[0].id
            )
        if timer is not None:
            async with self.world.database.transaction() as uow:
                await fire(uow, at=self.world.clock.now() + timedelta(days=31), only=timer)
        return "passed"


ACTS: Mapping[str, Act[Story]] = {
    "approve": lambda story: story.decide("approve", "lucia"),
    "approve, too": lambda story: story.decide("approve", "leo"),
    "approve the later": lambda story: story.decide("approve", "leo", step=1),
    "reject": lambda story: story.decide("reject", "leo"),
    "request changes": lambda story: story.decide("request_changes", "leo"),
    "take back": lambda story: story.tell(proposal=None),
    "propose another": lambda story: story.propose(Stage.MONITORING),
    "give up": lambda story: story.tell(stage=Stage.ARCHIVED),
    "change": lambda story: story.tell(facet="legal"),
    "change what is kept": lambda story: story.tell(facet="data"),
    "undescribe": lambda story: story.tell(missing="impact"),
    "expire": Story.let_expire,
}
#: What the catalogue tells of the use case.
TOLD = {"take back", "propose another", "give up", "change", "change what is kept", "undescribe"}
UNDER_REVIEW = [*("approve", "approve, too", "reject", "request changes"), *sorted(TOLD)]
ACCEPTED = ["expire", *sorted(TOLD - {"take back"})]
TWO = ["approve", "approve the later", "reject", "take back", "change", "give up"]
FEW = [
    *[("under review", *pair) for pair in (("approve", "take back"), ("approve", "change"), ("change", "take back"))],
    ("accepted", "expire", "change"),
    ("looked at again", "approve", "approve the later"),
]
EVERY = [
    (status, one, other)
    for status, acts in (("under review", UNDER_REVIEW), ("accepted", ACCEPTED), ("looked at again", TWO))
    for number, one in enumerate(acts)
    for other in acts[number + 1 :]
]


@pytest.fixture
async def stopped(database_url: str) -> AsyncIterator[World]:
    async with orders.stopped(database_url, POLICY) as world:
        yield world


@pytest.mark.parametrize(("status", "one", "other"), EVERY if orders.ALL else FEW)
async def test_whoever_comes_between_a_step_ends_as_if_one_came_after_the_other(
    stopped: World, database_plain_url: str, status: str, one: str, other: str
) -> None:
    async def prepared() -> Story:
        story = Story(stopped, next(NUMBERS))
        await story.propose(Stage.DEVELOPMENT)
        assert await story.decide("approve", "sam", "security") == 200
        if status != "under review":
            assert await story.decide("approve", "lucia") == 200
        if status == "looked at again":
            await story.let_expire()
            await story.propose(Stage.MONITORING)
            for step in (0, 1):
                assert await story.decide("approve", "sam", "security", step) == 200
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
        steps = await connection.fetch("select * from candidacies where use_case = $1 order by id", story.key)
        known = [row["id"] for row in steps]
        tasks = await connection.fetch(
            """select r.status as review, r.content_hash, t.stage, t.role, t.status, t.decided_by,
                      t.dismissed is not null as dismissed
                 from tasks t join reviews r on r.id = t.review
                where t.candidacy = any($1::uuid[]) order by t.candidacy, t.review, t.stage, t.role, t.id""",
            known,
        )
        audit = await connection.fetch(
            "select action from audit where subject = any($1::text[]) order by subject, id", [str(id_) for id_ in known]
        )
        told = await connection.fetch(
            "select key, sequence from outbox where key = any($1::text[]) order by id", [str(id_) for id_ in known]
        )
        found = await connection.fetch(
            "select kind, status from findings where subject = $1 order by id", str(ids.of_urn(story.key))
        )
    assert len(steps) >= 1
    for row in steps:
        of_this = [each["sequence"] for each in told if each["key"] == str(row["id"])]
        assert of_this == list(range(2, len(of_this) + 2))
    return (
        [(row["step_to"], row["status"], row["content_hash"], row["sequence"]) for row in steps],
        [tuple(row) for row in tasks],
        [row["action"] for row in audit],
        [tuple(row) for row in found],
    )
