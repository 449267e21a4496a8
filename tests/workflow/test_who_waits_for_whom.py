"""A person's step and a change of the world meet half-way: one waits for the other, and both get done."""

import asyncio

import pytest
from assent_common.events.governance import CandidacyStatus

from tests.support.wait import until
from tests.workflow.world import World, a_use_case, a_version

WAITING = """
select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
"""


async def waiting(world: World, statements: int) -> None:
    """Until so many statements wait for a lock."""

    async def are_waiting() -> bool:
        async with world.database.connection() as connection:
            return bool(await connection.fetchval(WAITING) == statements)

    await until(are_waiting, within_s=10)


@pytest.mark.parametrize("step", ["decide", "submit", "put forward"])
async def test_a_step_taken_while_the_content_changes_is_not_lost_to_a_deadlock(world: World, step: str) -> None:
    """The change has the version's row and waits for the row of one candidacy while somebody takes a step with the
    next: that one must not hold its candidacy while it waits for the version."""
    for key in ("growth", "service"):
        await world.hears(a_use_case(key))
    in_the_way = await world.put_forward()
    other = await world.put_forward(use_case="growth", submit=step == "decide")
    tasks = await world.tasks(other["id"])

    async def take() -> int:
        match step:
            case "decide":
                answer = await world.decide(tasks["legal"])
            case "submit":
                path = f"/v1/candidacies/{other['id']}/submit"
                answer = await world.ask("POST", path, by="ada", role="data_scientist")
            case _:
                body = {"use_case": "service", "model_version": other["model_version"]}
                answer = await world.ask("POST", "/v1/candidacies", by="ada", role="data_scientist", json=body)
        return answer.status_code

    async with asyncio.TaskGroup() as tasks_:
        async with world.database.transaction() as uow:
            await (await uow.sql()).execute("select from candidacies where id = $1 for update", in_the_way["id"])
            change = tasks_.create_task(world.hears(a_version(accuracy=0.5)))
            await waiting(world, 1)
            taken = tasks_.create_task(take())
            await waiting(world, 2)
        await change
    assert taken.result() in (200, 201)
    content_hash = a_version(accuracy=0.5).content_hash
    last = (await world.told("assent.governance.review.requested.v1"))[-1]
    assert last.data["content_hash"] == content_hash


async def test_a_use_case_and_a_version_that_change_at_once_wait_for_each_other_in_one_order(world: World) -> None:
    in_the_way = await world.put_forward()
    described = world.event(a_use_case(name="Retention of everybody"))
    observed = world.event(a_version(accuracy=0.5))
    async with asyncio.TaskGroup() as tasks, world.database.transaction() as uow:
        await (await uow.sql()).execute("select from candidacies where id = $1 for update", in_the_way["id"])
        tasks.create_task(world.apply(described))
        await waiting(world, 1)
        tasks.create_task(world.apply(observed))
        await waiting(world, 2)
    assert (await world.candidacy(in_the_way["id"]))["status"] == CandidacyStatus.UNDER_REVIEW
