"""What a policy can say beyond roles in a row: quorums, substitutes, makers, calendars, changes, overrides."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml
from assent_common import canonical

from tests.workflow.world import MADE_AT, URN, World, a_version

MAKER = "arn:aws:sts::123456789012:assumed-role/pipelines/run"
LEGAL = {"role": "legal", "due_in": "P5D"}
RISK = {"role": "risk", "due_in": "P5D"}
SECURITY = {"role": "security", "due_in": "P5D"}


async def rules(world: World, *approvals: dict[str, Any], **members: Any) -> None:
    """The policy for everybody from now on: one stage, unless told otherwise."""
    policy = {
        "name": "default",
        "version": 2,
        "stages": [{"name": "all", "approvals": list(approvals)}],
        "valid_for": "P365D",
        **members,
    }
    answer = await world.ask("POST", "/v1/policies", role="admin", json={"text": yaml.safe_dump(policy)})
    assert answer.status_code == 201, answer.text


async def status(world: World, candidacy: dict[str, Any]) -> str:
    return str((await world.candidacy(candidacy["id"]))["status"])


async def approve(world: World, candidacy: dict[str, Any], role: str, *, by: str | None = None) -> None:
    answer = await world.decide((await world.tasks(candidacy["id"]))[role], by=by)
    assert answer.status_code == 200, answer.text


async def test_any_one_of_a_stage_is_enough_and_the_others_are_asked_no_more(world: World) -> None:
    await rules(world, stages=[{"name": "one", "quorum": "any", "approvals": [LEGAL, RISK, SECURITY]}])
    candidacy = await world.put_forward()
    tasks = await world.tasks(candidacy["id"])
    assert set(tasks) == {"legal", "risk", "security"}
    await approve(world, candidacy, "risk")
    assert await status(world, candidacy) == "accepted"
    too_late = await world.decide(tasks["legal"])
    assert too_late.status_code == 409


async def test_two_of_three_are_two_and_one_who_rejects_ends_it(world: World) -> None:
    await rules(world, stages=[{"name": "most", "quorum": 2, "approvals": [LEGAL, RISK, SECURITY]}])
    candidacy = await world.put_forward()
    await approve(world, candidacy, "risk")
    assert await status(world, candidacy) == "under_review"
    await approve(world, candidacy, "legal")
    assert await status(world, candidacy) == "accepted"

    retired = await world.ask("POST", f"/v1/candidacies/{candidacy['id']}/retire", role="risk")
    assert retired.status_code == 200
    again = await world.put_forward()
    await approve(world, again, "risk")
    rejected = await world.decide((await world.tasks(again["id"]))["security"], "reject")
    assert rejected.status_code == 200
    assert await status(world, again) == "rejected"


async def test_two_people_of_one_role_are_two_people(world: World) -> None:
    await rules(world, {**RISK, "people": 2}, separation_of_duties={"one_person_one_task": False})
    candidacy = await world.put_forward()
    answer = await world.ask("GET", "/v1/tasks", params={"candidacy": candidacy["id"], "status": "open"})
    first, second = answer.json()["items"]
    assert (await world.decide(first, by="rosa", role="risk")).status_code == 200
    refused = await world.decide(second, by="rosa", role="risk")
    assert refused.status_code == 403
    assert "several people" in refused.json()["detail"]
    assert (await world.decide(second, by="rita", role="risk")).status_code == 200
    assert await status(world, candidacy) == "accepted"


async def test_a_stage_is_asked_only_where_its_condition_holds(world: World) -> None:
    stages = [
        {"name": "first", "approvals": [LEGAL]},
        {"name": "high", "when": 'use_case.legal.risk_class == "high"', "approvals": [RISK]},
    ]
    await rules(world, stages=stages)
    candidacy = await world.put_forward()
    await approve(world, candidacy, "legal")
    assert await status(world, candidacy) == "accepted"


async def test_a_substitute_decides_for_who_is_away_and_not_past_separation_of_duties(world: World) -> None:
    await rules(world, {**LEGAL, "substitutes": ["risk"]}, SECURITY)
    begins = world.clock.now()
    given = {"role": "legal", "substitute": "rosa", "ends_at": (begins + timedelta(days=7)).isoformat()}
    body = {**given, "reason": "on leave"}
    assert (await world.ask("POST", "/v1/delegations", by="lucia", role="legal", json=body)).status_code == 201
    not_hers = await world.ask("POST", "/v1/delegations", by="sven", role="security", json=body)
    assert not_hers.status_code == 403

    candidacy = await world.put_forward()
    task = (await world.tasks(candidacy["id"]))["legal"]
    assert (await world.decide(task, by="rita", role="risk")).status_code == 403, "nobody delegated to her"
    assert (await world.decide(task, by="rosa", role="risk")).status_code == 200
    (decided,) = (await world.tasks(candidacy["id"], "approved")).values()
    assert decided["decided_by"] == "rosa"
    (event,) = [
        event for event in await world.told("assent.governance.task.changed.v1") if event.data["status"] == "approved"
    ]
    assert (event.data["decided_by"], event.data["on_behalf_of"]) == ("rosa", "lucia")
    second = await world.decide((await world.tasks(candidacy["id"]))["security"], by="lucia", role="security")
    assert second.status_code == 403, "who was stood in for has decided"


async def test_a_delegation_that_is_over_or_revoked_lets_nobody_decide(world: World) -> None:
    await rules(world, {**LEGAL, "substitutes": ["risk"]})
    ends_at = (world.clock.now() + timedelta(days=1)).isoformat()
    body = {"role": "legal", "substitute": "rosa", "ends_at": ends_at, "reason": "on leave"}
    given = await world.ask("POST", "/v1/delegations", by="lucia", role="legal", json=body)
    candidacy = await world.put_forward()
    task = (await world.tasks(candidacy["id"]))["legal"]
    path = f"/v1/delegations/{given.json()['id']}"
    assert (await world.ask("DELETE", path, by="lucia", role="legal")).status_code == 204
    assert (await world.decide(task, by="rosa", role="risk")).status_code == 403
    await world.ask("POST", "/v1/delegations", by="lucia", role="legal", json=body)
    world.clock.advance(timedelta(days=2))
    assert (await world.decide(task, by="rosa", role="risk")).status_code == 403


async def test_who_made_it_at_its_source_decides_nothing_and_unknown_makers_hold_everybody_back(world: World) -> None:
    await rules(world, LEGAL, separation_of_duties={"maker_decides_nothing": True})
    await world.hears(a_version(created_by=MAKER))
    candidacy = await world.put_forward()
    task = (await world.tasks(candidacy["id"]))["legal"]
    refused = await world.decide(task, by="lucia")
    assert refused.status_code == 403
    assert "/v1/identities" in refused.json()["detail"]
    told = {"name": MAKER, "subject": "lucia"}
    assert (await world.ask("PUT", "/v1/identities", role="legal", json=told)).status_code == 403
    assert (await world.ask("PUT", "/v1/identities", role="admin", json=told)).status_code == 200
    assert (await world.decide(task, by="lucia")).status_code == 403
    assert (await world.decide(task, by="lara")).status_code == 200


async def test_only_the_person_whom_the_use_case_names_decides(world: World) -> None:
    await rules(world, {**LEGAL, "accountable": True})
    candidacy = await world.put_forward()
    task = (await world.tasks(candidacy["id"]))["legal"]
    refused = await world.decide(task, by="somebody-else")
    assert refused.status_code == 403
    named = await world.ask("GET", f"/v1/tasks/{task['id']}")
    assert named.status_code == 200
    async with world.database.connection() as connection:
        assignee = await connection.fetchval("select assignee from tasks where id = $1", task["id"])
    assert assignee
    assert (await world.decide(task, by=assignee)).status_code == 200


async def test_weekends_and_holidays_are_no_days_to_decide(world: World) -> None:
    wednesday = datetime(2026, 12, 23, 9, tzinfo=UTC)
    world.clock.advance(wednesday - world.clock.now())
    await rules(world, {"role": "legal", "due_in": "P3D"}, calendar={"holidays": ["2026-12-25"]})
    candidacy = await world.put_forward()
    task = (await world.tasks(candidacy["id"]))["legal"]
    assert datetime.fromisoformat(task["due_at"]) == datetime(2026, 12, 29, 9, tzinfo=UTC)


def changed(**content: Any) -> Any:
    whole = {"artifacts": {"0": "s3://models/churn.tar.gz"}, "metrics": {"accuracy": 0.91}, **content}
    return a_version(content=whole, content_hash=canonical.digest(whole))


@pytest.mark.parametrize(
    ("part", "expected"),
    [({"description": "better words"}, "accepted"), ({"metrics": {"accuracy": 0.5}}, "suspended")],
)
async def test_each_kind_of_change_has_its_own_consequence(world: World, part: dict[str, Any], expected: str) -> None:
    await rules(world, LEGAL, on_content_change={"description": "keep", "otherwise": "suspend"})
    candidacy = await world.put_forward()
    await approve(world, candidacy, "legal")
    await world.hears(changed(**part))
    assert await status(world, candidacy) == expected
    assert (await world.gate())["allow"] is (expected == "accepted")


async def test_an_acceptance_that_holds_through_a_change_holds_when_it_is_taken_back(world: World) -> None:
    await rules(world, LEGAL, on_content_change={"description": "keep", "otherwise": "suspend"})
    judged = changed(description="as judged")
    await world.hears(judged)
    candidacy = await world.put_forward()
    await approve(world, candidacy, "legal")
    await world.hears(changed(description="better words"))
    await world.hears(judged)
    assert await status(world, candidacy) == "accepted"
    assert (await world.candidacy(candidacy["id"]))["content_hash"] == judged.content_hash
    assert (await world.gate())["allow"] is True


async def test_of_several_changes_the_strictest_consequence_counts(world: World) -> None:
    await rules(world, LEGAL, on_content_change={"description": "keep", "otherwise": "suspend"})
    candidacy = await world.put_forward()
    await approve(world, candidacy, "legal")
    await world.hears(changed(description="better words", metrics={"accuracy": 0.5}))
    assert await status(world, candidacy) == "suspended"


async def test_resubmitted_it_keeps_the_approvals_that_the_change_does_not_touch(world: World) -> None:
    approvals = ({**LEGAL, "judges": ["description"]}, {**RISK, "judges": ["metrics"]})
    await rules(world, *approvals, SECURITY, keeps_approvals=True)
    candidacy = await world.put_forward()
    await approve(world, candidacy, "legal")
    await approve(world, candidacy, "risk")
    asked = await world.decide((await world.tasks(candidacy["id"]))["security"], "request_changes")
    assert asked.status_code == 200
    await world.hears(changed(metrics={"accuracy": 0.97}))
    path = f"/v1/candidacies/{candidacy['id']}/submit"
    assert (await world.ask("POST", path, by="ada", role="data_scientist")).status_code == 200
    assert set(await world.tasks(candidacy["id"])) == {"risk", "security"}


async def test_suspended_for_its_content_alone_it_keeps_the_approvals_that_the_change_does_not_touch(
    world: World,
) -> None:
    approvals = ({**LEGAL, "judges": ["description"]}, {**RISK, "judges": ["metrics"]})
    await rules(world, *approvals, keeps_approvals=True)
    candidacy = await world.put_forward()
    for role in ("legal", "risk"):
        await approve(world, candidacy, role)
    path = f"/v1/candidacies/{candidacy['id']}"

    async def asked_again() -> set[str]:
        assert await status(world, candidacy) == "suspended"
        answer = await world.ask("POST", f"{path}/submit", by="ada", role="data_scientist")
        assert answer.status_code == 200, answer.text
        return set(await world.tasks(candidacy["id"]))

    await world.hears(a_version(accuracy=0.92))
    assert await asked_again() == {"risk"}
    await approve(world, candidacy, "risk")
    assert await status(world, candidacy) == "accepted"
    # By hand it is to be looked at anew, whatever changes meanwhile, and so it is long after.
    assert (await world.ask("POST", f"{path}/suspend", role="security")).status_code == 200
    await world.hears(a_version(accuracy=0.93))
    assert await asked_again() == {"legal", "risk"}
    for role in ("legal", "risk"):
        await approve(world, candidacy, role)
    await world.hears(a_version(accuracy=0.94))
    world.clock.advance(timedelta(days=366))
    assert await asked_again() == {"legal", "risk"}


async def test_what_is_accepted_as_soon_as_it_is_submitted_again_is_on_record_as_both(world: World) -> None:
    await rules(world, LEGAL, keeps_approvals=True)
    candidacy = await world.put_forward()
    await approve(world, candidacy, "legal")
    await world.hears(a_version(accuracy=0.92))
    assert await status(world, candidacy) == "suspended"
    # It is again what was approved.
    await world.hears(a_version(accuracy=0.91))
    path = f"/v1/candidacies/{candidacy['id']}/submit"
    assert (await world.ask("POST", path, by="ada", role="data_scientist")).status_code == 200
    assert (await world.gate())["allow"] is True
    records = (await world.ask("GET", "/v1/audit", params={"subject": candidacy["id"]})).json()["items"]
    said = [record["action"] for record in sorted(records, key=lambda record: record["id"])]
    assert said[-3:] == ["candidacy.suspended", "candidacy.submitted", "candidacy.accepted"]


async def test_what_is_accepted_as_soon_as_its_content_changed_under_review_is_told_as_both(world: World) -> None:
    good = {"name": "accurate", "expression": "version.metrics.accuracy >= 0.8", "description": "As it should be."}
    await rules(world, {**LEGAL, "judges": ["description"]}, keeps_approvals=True, checks=[good])
    await world.hears(a_version(accuracy=0.7))
    candidacy = await world.put_forward()
    await approve(world, candidacy, "legal")
    assert await status(world, candidacy) == "under_review", "the check is in the way"
    # What legal approved counts on, and nothing is in the way any more.
    await world.hears(a_version(accuracy=0.9))
    assert await status(world, candidacy) == "accepted"
    told = await world.told("assent.governance.candidacy.changed.v1")
    states = [(event.number, event.data["status"]) for event in told]
    assert states == [(1, "candidate"), (2, "under_review"), (3, "under_review"), (4, "accepted")]


async def test_an_override_is_for_whom_the_policy_says_for_a_while_and_a_finding(world: World) -> None:
    await rules(world, LEGAL, SECURITY, override={"by": ["risk"], "valid_for": "P3D"})
    candidacy = await world.put_forward()
    path = f"/v1/candidacies/{candidacy['id']}/override"
    reason = {"reason": "the old model fails customers tonight"}
    assert (await world.ask("POST", path, by="lucia", role="legal", json=reason)).status_code == 403
    assert (await world.ask("POST", path, by="ada", role="data_scientist", json=reason)).status_code == 403
    for empty in ({}, {"reason": "  "}):
        refused = await world.ask("POST", path, by="rosa", role="risk", json=empty)
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/reason")
    assert await status(world, candidacy) == "under_review"

    done = await world.ask("POST", path, by="rosa", role="risk", json=reason)
    assert done.status_code == 200, done.text
    accepted = await world.candidacy(candidacy["id"])
    assert accepted["status"] == "accepted"
    ends = datetime.fromisoformat(accepted["expires_at"]) - world.clock.now()
    assert ends == timedelta(days=3)
    assert (await world.gate())["allow"] is True
    found = (await world.ask("GET", "/v1/findings", params={"kind": "overridden"})).json()["items"]
    assert [(each["subject"], each["severity"], each["status"]) for each in found] == [
        (candidacy["id"], "high", "open"),
    ]
    assert "rosa" in found[0]["summary"]
    assert (await world.ask("POST", path, by="rosa", role="risk", json=reason)).status_code == 409
    await world.ask("POST", f"/v1/candidacies/{candidacy['id']}/suspend", role="security")
    found = (await world.ask("GET", "/v1/findings", params={"kind": "overridden"})).json()["items"]
    assert [each["status"] for each in found] == ["resolved"]


async def test_nobody_overrides_in_what_he_himself_asked_for(world: World) -> None:
    await rules(world, LEGAL, override={"by": ["risk"], "valid_for": "P3D"})
    candidacy = await world.put_forward(by="ada", submit=False)
    path = f"/v1/candidacies/{candidacy['id']}"
    assert (await world.ask("POST", f"{path}/submit", by="bob", role="data_scientist")).status_code == 200
    for who, says, why in (
        ("ada", 403, "put this model"),
        ("bob", 403, "you asked for this review"),
        ("rosa", 200, ""),
    ):
        answer = await world.ask("POST", f"{path}/override", by=who, role="risk", json={"reason": "it burns"})
        assert (answer.status_code, why in answer.text) == (says, True), answer.text


async def test_without_a_word_of_it_in_the_policy_nobody_overrides(world: World) -> None:
    await rules(world, LEGAL)
    candidacy = await world.put_forward()
    path = f"/v1/candidacies/{candidacy['id']}/override"
    for role in ("risk", "security", "business_owner", "legal"):
        answer = await world.ask("POST", path, by=role, role=role, json={"reason": "hurry"})
        assert answer.status_code == 403
    assert await status(world, candidacy) == "under_review"


async def test_what_a_policy_says_cannot_be_overridden_is_not(world: World) -> None:
    check = {
        "name": "accurate",
        "description": "It is right often enough.",
        "expression": "version.metrics.accuracy >= 0.99",
        "overridable": False,
    }
    await rules(world, LEGAL, checks=[check], override={"by": ["risk"], "valid_for": "P3D"})
    candidacy = await world.put_forward()
    path = f"/v1/candidacies/{candidacy['id']}/override"
    answer = await world.ask("POST", path, by="rosa", role="risk", json={"reason": "hurry"})
    assert answer.status_code == 403
    assert "accurate" in answer.json()["detail"]


async def test_a_challenger_is_held_against_the_champion(world: World) -> None:
    check = {
        "name": "no_worse",
        "description": "No worse than what is accepted now.",
        "expression": "!has(champion.urn) || version.metrics.accuracy >= champion.metrics.accuracy - 0.01",
    }
    await rules(world, LEGAL, checks=[check])
    champion = await world.put_forward()
    await approve(world, champion, "legal")
    assert await status(world, champion) == "accepted"

    worse = URN.replace("/7", "/8")
    await world.hears(a_version(worse, accuracy=0.80, version=8, created_at=MADE_AT))
    body = {"use_case": "retention", "model_version": worse}
    made = await world.ask("POST", "/v1/candidacies", by="ada", role="data_scientist", json=body)
    challenger = made.json()
    await world.ask("POST", f"/v1/candidacies/{challenger['id']}/submit", by="ada", role="data_scientist")
    await approve(world, challenger, "legal")
    blocked = await world.candidacy(challenger["id"])
    assert (blocked["status"], len(blocked["blocked_by"])) == ("under_review", 1)
    await world.hears(a_version(worse, accuracy=0.905, version=8, created_at=MADE_AT))
    await approve(world, challenger, "legal")
    assert await status(world, challenger) == "accepted"
