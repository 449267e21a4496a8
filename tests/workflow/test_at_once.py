"""Several things at once, on one candidacy."""

import asyncio

import asyncpg
import httpx
import yaml
from assent_workflow import subjects

from tests.workflow import orders
from tests.workflow.interleave import Stepped
from tests.workflow.world import URN, World, a_use_case, a_version

HEAD = "name: own\nversion: 1\napplies_to: 'true'\nvalid_for: P30D\n"
STAGE = "stages: [{name: one, approvals: [{role: legal, due_in: P1D}]}]\n"


async def governed_by(world: World, text: str) -> None:
    answer = await world.ask("POST", "/v1/policies", by="adam", role="admin", json={"text": HEAD + text})
    assert answer.status_code == 201, answer.text


async def test_a_hundred_people_decide_the_last_task_at_once_and_it_is_accepted_once(world: World) -> None:
    await governed_by(world, STAGE)
    candidacy = await world.put_forward()
    task = (await world.tasks(candidacy["id"]))["legal"]

    async def decide(by: str) -> httpx.Response:
        # On a loaded machine some wait too long for a connection: they are told that nothing was done, and ask again.
        while (answer := await world.decide(task, by=by)).status_code == 503:
            assert answer.headers["retry-after"]
        return answer

    answers = await asyncio.gather(*(decide(f"lawyer-{n}") for n in range(100)))
    codes = [answer.status_code for answer in answers]
    assert (len(codes), codes.count(200), codes.count(409)) == (100, 1, 99)
    told = [event.data["status"] for event in await world.told("assent.governance.candidacy.changed.v1")]
    assert told == ["candidate", "under_review", "accepted"]


async def test_who_comes_late_to_a_decision_is_told_so_though_somebody_holds_the_candidacy(world: World) -> None:
    candidacy = await world.put_forward()
    tasks = await world.tasks(candidacy["id"])
    assert (await world.decide(tasks["legal"])).status_code == 200
    async with world.database.connection() as holder, holder.transaction():
        await holder.execute("select from candidacies where id = $1 for update", candidacy["id"])
        late = await world.decide(tasks["legal"], by="lucia")
        assert (late.status_code, late.json()["detail"]) == (409, "this task was decided already: approved by legal")
    # Nobody is told so in place of its not being his.
    assert (await world.decide(tasks["legal"], by="rita", role="risk")).status_code == 403
    assert (await world.decide(tasks["security"], "reject")).status_code == 200
    async with world.database.connection() as holder, holder.transaction():
        await holder.execute("select from candidacies where id = $1 for update", candidacy["id"])
        late = await world.decide(tasks["data_steward"])
        assert (late.status_code, "has ended (rejected)" in late.json()["detail"]) == (409, True)


async def test_a_policy_written_during_a_review_does_not_change_the_review(world: World) -> None:
    await governed_by(world, STAGE)
    candidacy = await world.put_forward()
    text = HEAD.replace("version: 1", "version: 2") + STAGE.replace("legal", "risk")
    assert (await world.ask("POST", "/v1/policies", by="adam", role="admin", json={"text": text})).status_code == 201
    tasks = await world.tasks(candidacy["id"])
    assert set(tasks) == {"legal"}
    assert (await world.decide(tasks["legal"])).status_code == 200
    assert (await world.candidacy(candidacy["id"]))["policy"] == "own@1"
    assert (await world.candidacy(candidacy["id"]))["status"] == "accepted"


async def test_decision_withdrawal_and_content_change_at_once_end_in_one_order_or_another(world: World) -> None:
    for number in range(6):
        await world.hears(a_version(accuracy=0.91))
        candidacy = await world.put_forward()
        task = (await world.tasks(candidacy["id"]))["legal"]
        path = f"/v1/candidacies/{candidacy['id']}/withdraw"
        steps = [
            world.decide(task),
            world.ask("POST", path, by="ada", role="data_scientist"),
            world.hears(a_version(accuracy=0.5 + number / 100)),
        ]
        turned = steps[number % 3 :] + steps[: number % 3]
        answers = await asyncio.gather(*turned)
        assert len(answers) == 3
        assert (await world.candidacy(candidacy["id"]))["status"] == "withdrawn"
        assert await world.tasks(candidacy["id"]) == {}
        sequences = [
            event.number
            for event in await world.told("assent.governance.candidacy.changed.v1")
            if event.subject == candidacy["id"]
        ]
        assert sequences == list(range(1, len(sequences) + 1))


async def test_who_hear_of_the_same_new_things_at_once_keep_them_once(world: World) -> None:
    for number in range(15):
        key = f"use-case-{number}"
        batch = [world.event(a_version(f"{URN}-{number}")), world.event(a_use_case(key))]
        await asyncio.gather(*(world.apply(*batch) for _ in range(4)))
    async with world.database.connection() as connection:
        for table in ("model_versions", "use_cases"):
            assert await connection.fetchval(f"select count(*) from {table}") == 16, table


async def test_who_hears_of_a_new_thing_while_it_comes_holds_nothing_that_the_next_waits_for(
    database_url: str, database_plain_url: str
) -> None:
    """One looked for a use case before it was there and for its version after, and so held the version alone."""
    locks = (subjects.USE_CASES_CONCERNED, subjects.VERSIONS_CONCERNED)
    async with orders.stopped(database_url, yaml.safe_load(HEAD + STAGE)) as world:
        batch = [world.event(a_version(f"{URN}-new")), world.event(a_use_case("new"))]
        first, late, next_ = (Stepped(lambda: world.apply(*batch), lambda query: query in locks) for _ in range(3))
        monitor = await asyncpg.connect(database_plain_url)
        try:
            await late.step(monitor)
            await to_its_end(first, monitor)
            await late.step(monitor)
            await next_.step(monitor)
            while waiting := [each for each in (late, first, next_) if not each.is_done]:
                for each in waiting:
                    await to_its_end(each, monitor)
        finally:
            await monitor.close()
        assert [each.result for each in (first, late, next_)] == [None] * 3


async def to_its_end(one: Stepped, monitor: asyncpg.Connection) -> None:
    """Or to where it waits for another."""
    if one.is_blocked:
        await one.look(monitor)
    while one.can_go:
        await one.step(monitor)
