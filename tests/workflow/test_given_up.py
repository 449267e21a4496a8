"""A use case is given up: what stood for it ends, and what still runs for it is named until it is switched off."""

from typing import Any

import pytest
from assent_common.events.catalog import Stage

from tests.workflow.world import URN, World, a_deployment, a_use_case, a_version, gone


async def serving(world: World, use_case: str = "retention") -> list[dict[str, Any]]:
    answer = await world.ask("GET", f"/v1/use-cases/{use_case}/serving")
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def status(world: World, candidacy: dict[str, Any]) -> tuple[str, str | None]:
    now = await world.candidacy(candidacy["id"])
    return now["status"], now["reason"]


@pytest.mark.parametrize("stage", [Stage.ARCHIVED, Stage.REJECTED])
async def test_what_was_accepted_is_retired_and_the_gate_says_no(world: World, stage: Stage) -> None:
    candidacy = await world.put_forward()
    await world.approve_all(candidacy["id"])
    assert (await world.gate())["allow"] is True
    [told] = await world.hears(a_use_case(stage=stage))
    await world.apply(told)
    assert await status(world, candidacy) == ("retired", f"the use case is {stage}")
    assert (await world.gate())["allow"] is False
    statuses = [event.data["status"] for event in await world.told("assent.governance.candidacy.changed.v1")]
    assert statuses == ["candidate", "under_review", "accepted", "retired"]


async def test_what_is_under_review_is_withdrawn_and_nobody_is_asked_any_more(world: World) -> None:
    candidacy = await world.put_forward()
    tasks = await world.tasks(candidacy["id"])
    await world.hears(a_use_case(stage=Stage.ARCHIVED))
    assert await status(world, candidacy) == ("withdrawn", "the use case is archived")
    assert await world.tasks(candidacy["id"]) == {}
    assert (await world.decide(tasks["legal"])).status_code == 409
    again = {"use_case": "retention", "model_version": URN}
    answer = await world.ask("POST", "/v1/candidacies", by="ada", role="data_scientist", json=again)
    assert answer.status_code == 409
    assert "archived" in answer.json()["detail"]


async def test_it_is_told_what_has_to_be_switched_off_until_it_is(world: World) -> None:
    candidacy = await world.put_forward()
    await world.approve_all(candidacy["id"])
    assert [(each["status"], each["switch_off"]) for each in await serving(world)] == [("accepted", False)]
    await world.hears(a_deployment())
    [before] = await serving(world)
    assert (before["candidacy"], before["switch_off"]) == (candidacy["id"], True)
    assert [each["name"] for each in before["deployments"]] == ["churn-live"]
    await world.hears(a_use_case(stage=Stage.ARCHIVED))
    [after] = await serving(world)
    assert (after["status"], after["switch_off"], after["deployments"]) == ("retired", True, before["deployments"])
    await world.hears(gone())
    assert await serving(world) == []


async def test_what_another_use_case_needs_goes_on(world: World) -> None:
    await world.hears(a_use_case("growth"), a_deployment())
    for use_case in ("retention", "growth"):
        candidacy = await world.put_forward(use_case=use_case)
        await world.approve_all(candidacy["id"])
    [shared] = await serving(world)
    assert (shared["accepted_for"], shared["switch_off"]) == (["growth"], False)
    await world.hears(a_use_case(stage=Stage.ARCHIVED))
    assert (await world.gate("growth"))["allow"] is True
    assert (await world.gate("retention"))["allow"] is False
    found = await world.ask("GET", "/v1/findings", params={"status": "open"})
    assert found.json()["items"] == []


async def test_what_is_told_late_of_a_use_case_that_was_given_up_brings_nothing_back(world: World) -> None:
    late = world.event(a_use_case())
    candidacy = await world.put_forward()
    await world.approve_all(candidacy["id"])
    await world.hears(a_use_case(stage=Stage.ARCHIVED))
    await world.apply(late)
    await world.hears(a_version(accuracy=0.4))
    assert (await world.candidacy(candidacy["id"]))["status"] == "retired"
    assert (await world.ask("GET", "/v1/use-cases/unheard-of/serving")).status_code == 404
