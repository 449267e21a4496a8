"""How the work goes, in numbers that follow from what was done."""

from typing import Any

from assent_workflow import metrics
from assent_workflow.facts import show
from assent_workflow.facts.gather import Facts, Serving, gather

from tests.support.assent import APPROVERS
from tests.workflow.world import World, a_deployment, a_use_case


async def facts(world: World) -> Facts:
    async with world.database.connection() as connection:
        return await gather(connection)


def gauged(gauge: Any) -> dict[tuple[str, ...], float]:
    (family,) = gauge.collect()
    return {tuple(sample.labels.values()): sample.value for sample in family.samples}


async def test_where_nothing_was_done_nothing_is_made_up(world: World) -> None:
    found = await facts(world)
    assert (found.tasks, found.candidacies) == ([], {})
    assert (found.reviews.acceptance_rate, found.reviews.median_s) == (None, None)


async def test_what_waits_and_what_was_decided_is_counted_by_role(world: World) -> None:
    await world.hears(a_use_case("growth"), a_use_case("service"))
    accepted = await world.put_forward()
    await world.approve_all(accepted["id"])
    rejected = await world.put_forward(use_case="growth")
    await world.decide((await world.tasks(rejected["id"]))["legal"], "reject")
    await world.put_forward(use_case="service")
    async with world.database.connection() as connection:
        await connection.execute("update tasks set due_at = now() - interval '1 hour' where status = 'open'")
        await connection.execute(
            "update tasks set opened_at = decided_at - interval '2 hours' where role = 'legal' and status <> 'open'"
        )

    found = await facts(world)

    work = {each.role: each for each in found.tasks}
    assert set(work) == set(APPROVERS)
    assert {each.waiting for each in work.values()} == {each.overdue for each in work.values()} == {1}
    assert {role: each.decided for role, each in work.items()} == {**dict.fromkeys(APPROVERS, 1), "legal": 2}
    assert work["legal"].median_s == work["legal"].p90_s == 7200
    assert found.candidacies == {"accepted": 1, "rejected": 1, "under_review": 1}
    assert (found.reviews.accepted, found.reviews.rejected, found.reviews.acceptance_rate) == (1, 1, 0.5)

    show.show(found)
    assert set(gauged(metrics.TASKS_OVERDUE).values()) == {1.0}
    assert len(gauged(metrics.TASKS_OVERDUE)) == len(APPROVERS)
    assert gauged(metrics.CANDIDACIES) == {("accepted",): 1.0, ("rejected",): 1.0, ("under_review",): 1.0}
    assert gauged(metrics.ACCEPTANCE_RATE) == {(): 0.5}

    show.show(found.model_copy(update={"tasks": [], "candidacies": {"accepted": 1}}))
    assert gauged(metrics.TASKS_WAITING) == {}
    assert gauged(metrics.CANDIDACIES) == {("accepted",): 1.0}


async def test_they_are_gathered_once_a_minute_however_often_asked(world: World) -> None:
    first = (await world.ask("GET", "/v1/facts")).json()
    await world.put_forward()
    assert (await world.ask("GET", "/v1/facts")).json() == first
    assert first["candidacies"] == {}


async def test_what_serves_without_acceptance_is_counted_and_its_finding_ages(world: World) -> None:
    await world.hears(a_deployment())
    assert (await facts(world)).serving == Serving(model_versions=1, without_acceptance=1)
    async with world.database.connection() as connection:
        await connection.execute("update findings set found_at = now() - interval '8 days'")

    found = await facts(world)

    (standing,) = found.findings
    assert (standing.kind, standing.status, standing.findings) == ("unaccepted_deployment", "open", 1)
    assert (standing.up_to_a_week, standing.up_to_a_month, standing.older) == (0, 1, 0)
    show.show(found)
    assert gauged(metrics.FINDINGS)["unaccepted_deployment", "high", "open", "month"] == 1.0
    assert gauged(metrics.SERVING_UNACCEPTED) == {(): 1.0}

    await world.approve_all((await world.put_forward())["id"])
    found = await facts(world)
    assert (found.serving, found.findings) == (Serving(model_versions=1, without_acceptance=0), [])
