"""What is due happens once, whoever shares the work and whoever dies at it."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from assent_workflow.timers import store
from assent_workflow.timers.due import Timers
from assent_workflow.timers.fire import fire

from tests.support.assent import APPROVERS
from tests.workflow import many_timers
from tests.workflow.world import World, a_version

POLICY = """
name: strict
version: 1
applies_to: use_case.key == "retention"
stages:
  - name: departments
    approvals:
      - {role: legal, due_in: P14D, remind_before: P2D, escalate_to: risk}
      - {role: security, due_in: P7D}
valid_for: P100D
"""
DAY = timedelta(days=1)


@pytest.fixture
async def strict(world: World) -> World:
    answer = await world.ask("POST", "/v1/policies", role="admin", json={"text": POLICY})
    assert answer.status_code == 201, answer.text
    return world


async def fire_at(world: World, days: float) -> int:
    """As if so many days had passed."""
    async with world.database.transaction() as uow:
        return await fire(uow, at=world.clock.now() + days * DAY + timedelta(minutes=1))


async def said(world: World) -> list[tuple[str, str | None]]:
    events = await world.told("assent.governance.timer.fired.v1")
    return [(event.data["kind"], event.data["role"]) for event in events]


async def waiting(world: World) -> list[str]:
    async with world.database.connection() as connection:
        rows = await connection.fetch("select kind from timers where fired_at is null order by kind")
    return [row["kind"] for row in rows]


async def test_whoever_is_asked_is_reminded_told_when_it_is_late_and_then_somebody_else_is(strict: World) -> None:
    await strict.put_forward()
    assert await fire_at(strict, 6) == 0
    assert await fire_at(strict, 7) == 1
    assert await fire_at(strict, 12) == 1
    assert await fire_at(strict, 12) == 0
    assert await fire_at(strict, 14) == 2
    told = await said(strict)
    assert told[:2] == [("due", "security"), ("reminder", "legal")]
    assert set(told[2:]) == {("due", "legal"), ("escalation", "risk")}
    assert await waiting(strict) == []


async def test_nobody_is_reminded_of_what_is_decided_and_an_acceptance_is_looked_at_before_it_ends(
    strict: World,
) -> None:
    candidacy = await strict.put_forward()
    assert len(await waiting(strict)) == 4
    for task in (await strict.tasks(candidacy["id"])).values():
        assert (await strict.decide(task)).status_code == 200
    assert await waiting(strict) == ["expiry", "periodic_review"]
    assert await fire_at(strict, 89) == 0
    assert await fire_at(strict, 90) == 1
    assert (await strict.candidacy(candidacy["id"]))["status"] == "accepted"
    assert await fire_at(strict, 100) == 1
    assert await said(strict) == [("periodic_review", None), ("expiry", None)]
    assert (await strict.candidacy(candidacy["id"]))["status"] == "suspended"


async def test_what_makes_an_acceptance_moot_takes_its_timers_along(world: World) -> None:
    candidacy = await world.put_forward()
    assert await waiting(world) == ["due"] * len(APPROVERS)
    await world.approve_all(candidacy["id"])
    assert await waiting(world) == ["expiry", "periodic_review"]
    await world.hears(a_version(accuracy=0.5))
    # What waits now is for somebody to see to the change.
    assert await waiting(world) == ["finding_due"]


async def test_a_task_that_is_asked_again_waits_for_its_new_due_time(world: World) -> None:
    candidacy = await world.put_forward()
    tasks = await world.tasks(candidacy["id"])
    assert (await world.decide(tasks["legal"])).status_code == 200
    assert len(await waiting(world)) == len(APPROVERS) - 1
    await world.hears(a_version(accuracy=0.5))
    assert len(await waiting(world)) == len(APPROVERS)


async def test_who_holds_a_candidacy_is_not_waited_for(world: World) -> None:
    candidacy = await world.put_forward()
    async with world.database.transaction() as uow:
        await (await uow.sql()).execute("select from candidacies where id = $1 for update", candidacy["id"])
        assert await fire_at(world, 15) == 0
    assert await fire_at(world, 15) == len(APPROVERS)


async def test_two_at_once_fire_each_timer_once(world: World) -> None:
    await world.put_forward()
    fired = await asyncio.gather(*(fire_at(world, 15) for _ in range(4)))
    assert sum(fired) == len(APPROVERS)
    assert len(await said(world)) == len(APPROVERS)


async def test_one_that_cannot_be_fired_is_put_off_and_keeps_nobody_from_it(world: World) -> None:
    await world.put_forward()
    async with world.database.connection() as connection:
        await connection.execute("update timers set kind = 'unheard_of' where role = 'legal'")
    at = world.clock.now() + 15 * DAY
    assert await Timers(world.database).once(at=at) == len(APPROVERS) - 1
    assert len(await said(world)) == len(APPROVERS) - 1
    async with world.database.connection() as connection:
        left = await connection.fetch(
            "select failures, failure, fire_at > now() as later from timers where failures > 0"
        )
    assert len(left) == 1
    assert left[0]["failures"] == 1
    assert "unheard_of" in left[0]["failure"]
    assert left[0]["later"] is True


async def test_twenty_thousand_due_at_once_are_fired_once_each_while_one_worker_is_killed(
    world: World, database_url: str
) -> None:
    await many_timers.lay(world, 20_000, due_in=timedelta(0))
    await many_timers.fired_by_three_of_whom_one_is_killed(world.database, database_url, within_s=90)
    async with world.database.connection() as connection:
        told = await connection.fetchrow(many_timers.TOLD)
        recorded = await connection.fetchval("select count(*) from audit where action = 'task.overdue'")
    assert dict(told) == {"told": 20_000, "timers": 20_000}
    assert recorded == 20_000


async def test_what_waits_costs_a_look_at_the_first_entry_of_an_index(world: World) -> None:
    await many_timers.lay(world, 50_000, due_in=timedelta(days=30))
    async with world.database.connection() as connection:
        looked = await explained(connection, store.NEXT)
        claimed = await explained(connection, store.CLAIM, None, None, 200)
    assert buffers(looked) <= 10, looked
    assert buffers(claimed) <= 10, claimed
    for plan in (looked, claimed):
        assert "timers_waiting" in str(plan), plan
        assert "Seq Scan" not in str(plan), plan


async def explained(connection: Any, statement: str, *values: object) -> dict[str, Any]:
    plan: dict[str, Any] = (await connection.fetchval(f"explain (analyze, buffers, format json) {statement}", *values))[
        0
    ]
    return plan["Plan"]  # type: ignore[no-any-return]


def buffers(plan: dict[str, Any]) -> int:
    read: int = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    return read
