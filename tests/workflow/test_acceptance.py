"""What it takes to be accepted, and what ends it."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest
from assent_common.events.registry import Kind, Removed
from assent_workflow.timers.fire import fire

from tests.support.assent import APPROVERS
from tests.workflow.world import MADE_AT, URN, World, a_use_case, a_version


async def test_all_five_approvals_accept_and_the_gate_allows(world: World) -> None:
    candidacy = await world.put_forward()
    tasks = await world.tasks(candidacy["id"])
    assert set(tasks) == set(APPROVERS)
    for number, role in enumerate(APPROVERS, 1):
        assert (await world.gate())["allow"] is False
        assert (await world.decide(tasks[role])).status_code == 200
        expected = "accepted" if number == len(APPROVERS) else "under_review"
        assert (await world.candidacy(candidacy["id"]))["status"] == expected
    verdict = await world.gate()
    assert verdict["allow"] is True
    assert verdict["candidacy"] == candidacy["id"]
    statuses = [event.data["status"] for event in await world.told("assent.governance.candidacy.changed.v1")]
    assert statuses == ["candidate", "under_review", "accepted"]


async def test_who_put_it_forward_decides_nothing(world: World) -> None:
    candidacy = await world.put_forward(by="ada")
    tasks = await world.tasks(candidacy["id"])
    refused = await world.decide(tasks["data_scientist"], by="ada")
    assert refused.status_code == 403
    assert "put this model version forward" in refused.json()["detail"]


async def test_who_asks_for_the_review_of_what_another_put_forward_decides_nothing_either(world: World) -> None:
    candidacy = await world.put_forward(by="ada", submit=False)
    path = f"/v1/candidacies/{candidacy['id']}/submit"
    asked = await world.ask("POST", path, by="bob", role="data_scientist")
    assert asked.status_code == 200, asked.text
    tasks = await world.tasks(candidacy["id"])
    refused = await world.decide(tasks["data_scientist"], by="bob")
    assert refused.status_code == 403
    assert "you asked for this review" in refused.json()["detail"]
    for who, his in (("bob", False), ("carl", True)):
        mine = await world.ask("GET", "/v1/tasks?mine=true", by=who, role="data_scientist")
        assert bool(mine.json()["items"]) is his
    assert (await world.decide(tasks["data_scientist"], by="carl")).status_code == 200


async def test_one_person_decides_one_task(world: World) -> None:
    candidacy = await world.put_forward()
    tasks = await world.tasks(candidacy["id"])
    assert (await world.decide(tasks["legal"], by="lucia")).status_code == 200
    refused = await world.decide(tasks["security"], by="lucia")
    assert refused.status_code == 403
    assert "one person" in refused.json()["detail"]
    again = await world.decide(tasks["legal"], by="lucia")
    assert again.status_code == 409


@pytest.mark.parametrize("role", ["admin", "risk", "security"])
async def test_nobody_decides_for_a_role_that_he_does_not_hold(world: World, role: str) -> None:
    candidacy = await world.put_forward()
    tasks = await world.tasks(candidacy["id"])
    assert (await world.decide(tasks["legal"], role=role)).status_code == 403


async def test_a_failing_check_holds_acceptance_back_until_the_use_case_is_described(world: World) -> None:
    await world.hears(a_use_case("half", missing={"impact": ["human_oversight"]}))
    candidacy = await world.put_forward(use_case="half")
    await world.approve_all(candidacy["id"])
    held = await world.candidacy(candidacy["id"])
    assert held["status"] == "under_review"
    assert "impact.human_oversight" in str(held["blocked_by"])
    assert (await world.gate("half"))["allow"] is False

    await world.hears(a_use_case("half"))

    assert (await world.candidacy(candidacy["id"]))["status"] == "accepted"


async def test_a_prohibited_practice_is_never_accepted(world: World) -> None:
    facets = a_use_case().facets
    await world.hears(
        a_use_case("scoring", facets={**facets, "legal": {**facets["legal"], "risk_class": "prohibited"}})
    )
    candidacy = await world.put_forward(use_case="scoring")
    await world.approve_all(candidacy["id"])
    held = await world.candidacy(candidacy["id"])
    assert held["status"] == "under_review"
    assert "prohibited" in str(held["blocked_by"])


async def test_high_risk_asks_risk_too(world: World) -> None:
    facets = a_use_case().facets
    await world.hears(a_use_case("credit", facets={**facets, "legal": {**facets["legal"], "risk_class": "high"}}))
    candidacy = await world.put_forward(use_case="credit")
    assert set(await world.tasks(candidacy["id"])) == {*APPROVERS, "risk"}


async def test_a_rejection_ends_the_review_and_asks_nobody_any_more(world: World) -> None:
    candidacy = await world.put_forward()
    tasks = await world.tasks(candidacy["id"])
    assert (await world.decide(tasks["legal"], "reject")).status_code == 200
    assert (await world.candidacy(candidacy["id"]))["status"] == "rejected"
    assert await world.tasks(candidacy["id"]) == {}
    assert (await world.decide(tasks["security"])).status_code == 409


async def test_what_is_decided_or_withdrawn_is_decided_by_nobody_again(world: World) -> None:
    candidacy = await world.put_forward()
    tasks = await world.tasks(candidacy["id"])
    assert (await world.decide(tasks["legal"], by="lucia")).status_code == 200
    for verdict in ("approve", "reject", "request_changes"):
        for who in ("lucia", "lars"):
            again = await world.decide(tasks["legal"], verdict, by=who)
            assert (again.status_code, "approved by lucia" in again.json()["detail"]) == (409, True)
    path = f"/v1/candidacies/{candidacy['id']}/withdraw"
    assert (await world.ask("POST", path, by="ada", role="data_scientist")).status_code == 200
    for role, task in tasks.items():
        assert (await world.decide(task, by=f"{role}-too")).status_code == 409, role
    assert (await world.candidacy(candidacy["id"]))["status"] == "withdrawn"
    decided = (await world.ask("GET", "/v1/tasks", params={"candidacy": candidacy["id"]})).json()["items"]
    assert [task["decided_by"] for task in decided if task["decided_by"]] == ["lucia"]


async def test_two_last_approvers_at_once_accept_once(world: World) -> None:
    candidacy = await world.put_forward()
    tasks = await world.tasks(candidacy["id"])
    for role in APPROVERS[:3]:
        assert (await world.decide(tasks[role])).status_code == 200
    answers = await asyncio.gather(*(world.decide(tasks[role]) for role in APPROVERS[3:]))
    assert [answer.status_code for answer in answers] == [200, 200]
    assert (await world.candidacy(candidacy["id"]))["status"] == "accepted"
    told = [event.data["status"] for event in await world.told("assent.governance.candidacy.changed.v1")]
    assert told.count("accepted") == 1


async def test_changed_content_suspends_an_acceptance_at_once_and_says_what_changed(world: World) -> None:
    candidacy = await world.put_forward()
    await world.approve_all(candidacy["id"])

    await world.hears(a_version(accuracy=0.84))

    suspended = await world.candidacy(candidacy["id"])
    assert suspended["status"] == "suspended"
    assert "metrics.accuracy was 0.91, is 0.84" in suspended["reason"]
    assert (await world.gate())["allow"] is False


async def test_changed_content_under_review_dismisses_what_was_approved(world: World) -> None:
    candidacy = await world.put_forward()
    tasks = await world.tasks(candidacy["id"])
    assert (await world.decide(tasks["legal"])).status_code == 200

    await world.hears(a_version(accuracy=0.84))

    tasks = await world.tasks(candidacy["id"])
    assert set(tasks) == set(APPROVERS)
    assert "0.84" in tasks["legal"]["dismissed"]
    await world.approve_all(candidacy["id"])
    assert (await world.candidacy(candidacy["id"]))["status"] == "accepted"


async def test_what_is_not_judged_may_change(world: World) -> None:
    candidacy = await world.put_forward()
    await world.approve_all(candidacy["id"])
    await world.hears(a_version(source_approval_status="Approved", modified_at=MADE_AT + timedelta(days=1)))
    assert (await world.candidacy(candidacy["id"]))["status"] == "accepted"
    assert (await world.gate())["allow"] is True


async def test_what_its_source_no_longer_has_is_retired(world: World) -> None:
    candidacy = await world.put_forward()
    await world.approve_all(candidacy["id"])
    await world.hears(Removed(urn=URN, source="prod-eu", kind=Kind.MODEL_VERSION, removed_at=MADE_AT))
    assert (await world.candidacy(candidacy["id"]))["status"] == "retired"
    assert (await world.gate())["allow"] is False


async def test_another_version_under_the_same_name_inherits_nothing(world: World) -> None:
    candidacy = await world.put_forward()
    await world.approve_all(candidacy["id"])
    await world.hears(a_version(created_at=MADE_AT + timedelta(days=30)))
    assert (await world.candidacy(candidacy["id"]))["status"] == "retired"
    assert (await world.gate())["allow"] is False


async def test_an_acceptance_that_expired_is_suspended_and_the_gate_does_not_wait_for_that(world: World) -> None:
    candidacy = await world.put_forward()
    await world.approve_all(candidacy["id"])
    async with world.database.connection() as connection:
        await connection.execute("update candidacies set expires_at = now() - interval '1 second'")
        await connection.execute("update timers set fire_at = now() - interval '1 second' where kind = 'expiry'")
    verdict = await world.gate()
    assert verdict["allow"] is False
    assert "expired" in verdict["reasons"][0]
    async with world.database.transaction() as uow:
        assert await fire(uow) == 1
    assert (await world.candidacy(candidacy["id"]))["status"] == "suspended"


async def test_an_event_heard_twice_or_late_changes_nothing(world: World) -> None:
    candidacy = await world.put_forward()
    [old] = await world.hears(a_version(accuracy=0.5))
    [new] = await world.hears(a_version(accuracy=0.91))
    await world.approve_all(candidacy["id"])
    await world.apply(old, new, old)
    assert (await world.candidacy(candidacy["id"]))["status"] == "accepted"


async def test_the_gate_denies_what_it_does_not_know(world: World) -> None:
    unknown = await world.gate(model_version="arn:aws:sagemaker:eu-central-1:1:model-package/nobody/1")
    assert unknown["allow"] is False
    assert "not known" in unknown["reasons"][0]
    not_put_forward = await world.gate()
    assert not_put_forward["allow"] is False
    assert "nobody has put" in not_put_forward["reasons"][0]


async def test_an_acceptance_for_one_use_case_is_none_for_another(world: World) -> None:
    await world.hears(a_use_case("marketing"))
    candidacy = await world.put_forward()
    await world.approve_all(candidacy["id"])
    assert (await world.gate("retention"))["allow"] is True
    assert (await world.gate("marketing"))["allow"] is False
    assert (await world.gate(None))["allow"] is True


async def test_who_did_what_is_on_record_once(world: World) -> None:
    candidacy = await world.put_forward(by="ada")
    await world.approve_all(candidacy["id"])
    answer = await world.ask("GET", "/v1/audit", params={"subject": candidacy["id"]})
    records = [(record["actor"], record["action"]) for record in answer.json()["items"]]
    assert records == [
        ("ada", "candidacy.put_forward"),
        ("ada", "candidacy.submitted"),
        *((role, "task.approved") for role in sorted(APPROVERS, key=_order_of(records))),
        (records[-1][0], "candidacy.accepted"),
    ]
    assert len(records) == 8


def _order_of(records: list[tuple[str, str]]) -> Callable[[str], int]:
    actors = [actor for actor, action in records if action == "task.approved"]
    return actors.index
