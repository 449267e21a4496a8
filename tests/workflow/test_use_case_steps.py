"""Use cases go through the engine that model versions go through: proposed, judged, looked at again, given up."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from assent_common import ids, migrations
from assent_common.events.catalog import Link, Proposal, Stage
from assent_workflow.timers.due import Timers
from assent_workflow.timers.fire import fire

from tests.support.assent import FACETS
from tests.support.migrating import down_to
from tests.workflow.notified import Notified
from tests.workflow.world import ENDPOINT, MADE_AT, World, a_deployment, a_use_case, a_version, gone

POLICY = """
name: use-cases
version: 1
subject: use_case
steps: [development, monitoring, archived]
applies_to: use_case.legal.risk_class != "minimal"
checks:
  - name: complete
    description: The use case is fully described.
    expression: size(use_case.missing) == 0
    otherwise: '"still missing: " + use_case.missing_text'
  - name: switched_off
    description: Nothing serves any more for what is archived.
    expression: step.to != "archived" || size(step.serving) == 0
stages:
  - name: owners
    approvals:
      - {role: business_owner, due_in: P14D, remind_before: P2D, escalate_to: risk, judges: [business_context]}
  - name: law
    approvals:
      - {role: legal, due_in: P14D, judges: [legal]}
valid_for: P365D
on_content_change: {legal: review, otherwise: keep}
keeps_approvals: true
"""


@pytest.fixture
async def strict(world: World) -> World:
    answer = await world.ask("POST", "/v1/policies", role="admin", json={"text": POLICY})
    assert answer.status_code == 201, answer.text
    return world


def proposed(to: Stage, *, by: str = "bea", id: UUID | None = None) -> Proposal:
    return Proposal(
        id=id or ids.new(), to=to, proposed_by=by, issuer="https://issuer", proposed_at=MADE_AT, reason="it is time"
    )


async def steps(world: World, **filters: Any) -> list[dict[str, Any]]:
    answer = await world.ask("GET", "/v1/use-case-steps", params={"use_case": "retention", **filters})
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def only(world: World) -> dict[str, Any]:
    [step] = await steps(world)
    return step


async def tasks(world: World, step: dict[str, Any]) -> dict[str, dict[str, Any]]:
    answer = await world.ask("GET", "/v1/tasks", params={"step": step["id"], "status": "open"})
    assert answer.status_code == 200, answer.text
    return {task["role"]: task for task in answer.json()["items"]}


async def decided(world: World, step: dict[str, Any], role: str, verdict: str = "approve") -> Any:
    answer = await world.decide((await tasks(world, step))[role], verdict)
    assert answer.status_code == 200, answer.text
    return (await world.ask("GET", f"/v1/use-case-steps/{step['id']}")).json()


async def accepted(world: World, to: Stage = Stage.DEVELOPMENT, **members: Any) -> dict[str, Any]:
    """And its use case where that leads."""
    proposal = proposed(to)
    await world.hears(a_use_case(stage=members.pop("stage", Stage.IDEATION), proposal=proposal, **members))
    step: dict[str, Any] = {"id": str(proposal.id)}
    await decided(world, step, "business_owner")
    step = await decided(world, step, "legal")
    assert step["status"] == "accepted"
    await world.hears(a_use_case(stage=to, **members))
    return step


async def told(world: World) -> list[tuple[str, str]]:
    events = await world.told("assent.governance.step.changed.v1")
    return [(event.data["to"], event.data["status"]) for event in events]


async def fire_at(world: World, days: float) -> int:
    async with world.database.transaction() as uow:
        return await fire(uow, at=world.clock.now() + timedelta(days=days, minutes=1))


async def findings(world: World) -> list[tuple[str, str]]:
    answer = await world.ask("GET", "/v1/findings", params={"subject": str(ids.of_urn("retention"))})
    return [(each["kind"], each["status"]) for each in answer.json()["items"]]


async def test_a_proposed_step_is_judged_stage_by_stage_and_told_when_it_is_accepted(strict: World) -> None:
    proposal = proposed(Stage.DEVELOPMENT)
    [event] = await strict.hears(a_use_case(stage=Stage.IDEATION, proposal=proposal))
    await strict.apply(event)
    step = await only(strict)
    assert (step["id"], step["status"], step["policy"]) == (str(proposal.id), "under_review", "use-cases@1")
    asked = await tasks(strict, step)
    assert set(asked) == {"business_owner"}
    assert (asked["business_owner"]["to"], asked["business_owner"]["candidacy"]) == ("development", None)
    own = await strict.decide(asked["business_owner"], by="bea")
    assert own.status_code == 403
    assert "you proposed this step" in own.json()["detail"]
    await decided(strict, step, "business_owner")
    step = await decided(strict, step, "legal")
    assert (step["status"], step["blocked_by"]) == ("accepted", [])
    assert await told(strict) == [("development", "under_review"), ("development", "accepted")]
    review = (await strict.ask("GET", f"/v1/reviews/{step['review']}")).json()
    assert (review["step"], review["candidacy"], review["status"]) == (step["id"], None, "accepted")
    assert review["content"]["legal"] == FACETS["legal"]
    # It is none of the candidacies, nor to be moved as one.
    assert (await strict.ask("GET", "/v1/candidacies")).json()["items"] == []
    path = f"/v1/candidacies/{step['id']}/retire"
    assert (await strict.ask("POST", path, by="rita", role="risk")).status_code == 404


async def test_what_no_policy_asks_for_is_let_go_at_once(strict: World) -> None:
    lenient = {**FACETS, "legal": {**FACETS["legal"], "risk_class": "minimal"}}
    await strict.hears(a_use_case(stage=Stage.IDEATION, facets=lenient, proposal=proposed(Stage.DEVELOPMENT)))
    await strict.hears(a_use_case("other", stage=Stage.IDEATION, proposal=proposed(Stage.REJECTED)))
    assert await told(strict) == [("development", "not_asked"), ("rejected", "not_asked")]
    assert (await only(strict))["status"] == "not_asked"


async def test_whom_it_cannot_be_told_about_is_sent_back_with_what_to_mend(strict: World) -> None:
    unclear = {**FACETS, "legal": {}}
    await strict.hears(a_use_case(stage=Stage.IDEATION, facets=unclear, proposal=proposed(Stage.DEVELOPMENT)))
    step = await only(strict)
    assert step["status"] == "changes_requested"
    assert "risk_class is not known" in step["reason"]


async def test_a_proposal_that_is_taken_back_asks_nobody_any_more(strict: World) -> None:
    await strict.hears(a_use_case(stage=Stage.IDEATION, proposal=proposed(Stage.DEVELOPMENT)))
    step = await only(strict)
    await strict.hears(a_use_case(stage=Stage.IDEATION))
    assert await tasks(strict, step) == {}
    assert await told(strict) == [("development", "under_review"), ("development", "withdrawn")]


async def test_what_changes_were_asked_for_is_proposed_anew_and_keeps_what_the_change_does_not_touch(
    strict: World,
) -> None:
    await strict.hears(a_use_case(stage=Stage.IDEATION, proposal=proposed(Stage.DEVELOPMENT)))
    step = await only(strict)
    await decided(strict, step, "business_owner")
    step = await decided(strict, step, "legal", "request_changes")
    assert step["status"] == "changes_requested"
    assert "as discussed" in step["reason"]
    mended = {**FACETS, "legal": {**FACETS["legal"], "legal_basis": "contract"}}
    again = proposed(Stage.DEVELOPMENT)
    await strict.hears(a_use_case(stage=Stage.IDEATION, facets=mended, proposal=again))
    assert set(await tasks(strict, {"id": str(again.id)})) == {"legal"}
    step = (await strict.ask("GET", f"/v1/use-case-steps/{again.id}")).json()
    review = (await strict.ask("GET", f"/v1/reviews/{step['review']}")).json()
    assert review["since_last_round"]["parts"] == ["legal"]


async def test_who_proposes_anew_what_he_approved_before_is_not_his_own_judge(strict: World) -> None:
    first, again = proposed(Stage.DEVELOPMENT), proposed(Stage.DEVELOPMENT, by="carl")
    await strict.hears(a_use_case(stage=Stage.IDEATION, proposal=first))
    asked = (await tasks(strict, {"id": str(first.id)}))["business_owner"]
    assert (await strict.decide(asked, by="carl")).status_code == 200
    await decided(strict, {"id": str(first.id)}, "legal", "request_changes")
    await strict.hears(a_use_case(stage=Stage.IDEATION, proposal=again))
    step = {"id": str(again.id)}
    assert set(await tasks(strict, step)) == {"business_owner"}
    assert (await strict.decide((await tasks(strict, step))["business_owner"], by="carl")).status_code == 403
    await decided(strict, step, "business_owner")
    assert set(await tasks(strict, step)) == {"legal"}


async def test_what_is_looked_at_again_ends_nothing_that_was_proposed_since(strict: World) -> None:
    again = await accepted(strict)
    later = proposed(Stage.MONITORING)
    await strict.hears(a_use_case(stage=Stage.DEVELOPMENT, proposal=later))
    assert await fire_at(strict, 365) > 0
    assert {each["status"] for each in await steps(strict)} == {"under_review"}
    await decided(strict, again, "business_owner")
    assert (await decided(strict, again, "legal"))["status"] == "accepted"
    assert set(await tasks(strict, {"id": str(later.id)})) == {"business_owner"}
    # Which is accepted first, and so ends what it stands in the place of.
    await decided(strict, {"id": str(later.id)}, "business_owner")
    await decided(strict, {"id": str(later.id)}, "legal")
    assert {each["to"]: each["status"] for each in await steps(strict)} == {
        "monitoring": "accepted",
        "development": "retired",
    }


async def test_what_is_accepted_at_once_stands_in_the_place_of_those_before_it_as_well(strict: World) -> None:
    nobody = POLICY.replace("version: 1", "version: 2")
    for approval in ("judges: [business_context]}", "judges: [legal]}"):
        nobody = nobody.replace(approval, approval.replace("}", ", when: 'step.to != \"monitoring\"'}"))
    assert (await strict.ask("POST", "/v1/policies", role="admin", json={"text": nobody})).status_code == 201
    await accepted(strict)
    await strict.hears(a_use_case(stage=Stage.DEVELOPMENT, proposal=proposed(Stage.MONITORING)))
    assert {each["to"]: each["status"] for each in await steps(strict)} == {
        "monitoring": "accepted",
        "development": "retired",
    }


async def test_what_is_written_of_it_under_review_dismisses_what_that_touches(strict: World) -> None:
    proposal = proposed(Stage.DEVELOPMENT)
    await strict.hears(a_use_case(stage=Stage.IDEATION, proposal=proposal))
    step = await only(strict)
    await decided(strict, step, "business_owner")
    context = {**FACETS["business_context"], "purpose": "something else altogether"}
    changed = {**FACETS, "business_context": context}
    policy = POLICY.replace("version: 1", "version: 2").replace("legal: review, otherwise: keep", "otherwise: suspend")
    assert (await strict.ask("POST", "/v1/policies", role="admin", json={"text": policy})).status_code == 201
    await strict.hears(a_use_case(stage=Stage.IDEATION, facets=changed, proposal=proposal))
    # Pinned to the version that it began with, which lets that pass.
    assert set(await tasks(strict, step)) == {"legal"}
    legal = {**FACETS["legal"], "legal_basis": "contract"}
    await strict.hears(a_use_case(stage=Stage.IDEATION, facets={**changed, "legal": legal}, proposal=proposal))
    assert set(await tasks(strict, step)) == {"legal"}
    assert "legal.legal_basis was" in (await only(strict))["reason"]


async def test_it_is_looked_at_again_every_year_and_when_nobody_does_that_is_a_finding(strict: World) -> None:
    step = await accepted(strict)
    assert await fire_at(strict, 364) == 1  # It ends soon.
    assert await tasks(strict, step) == {}
    assert await fire_at(strict, 365) == 1
    assert (await only(strict))["status"] == "under_review"
    assert set(await tasks(strict, step)) == {"business_owner"}
    assert await findings(strict) == []
    assert await fire_at(strict, 380) == 3  # Reminded, overdue, escalated.
    assert await findings(strict) == [("use_case_review_overdue", "open")]
    await decided(strict, step, "business_owner")
    # Who was late has answered; who is asked next is not late.
    assert await findings(strict) == [("use_case_review_overdue", "resolved")]
    step = await decided(strict, step, "legal")
    assert step["status"] == "accepted"
    assert await findings(strict) == [("use_case_review_overdue", "resolved")]
    async with strict.database.connection() as connection:
        waiting = await connection.fetch("select kind from timers where fired_at is null order by kind")
    assert [row["kind"] for row in waiting] == ["expiry", "periodic_review"]


async def test_who_fails_the_yearly_review_is_a_finding_until_it_is_accepted_anew(strict: World) -> None:
    step = await accepted(strict)
    await fire_at(strict, 366)
    await decided(strict, step, "business_owner", "reject")
    assert await findings(strict) == [("use_case_not_accepted", "open")]
    await accepted(strict, stage=Stage.DEVELOPMENT)
    assert await findings(strict) == [("use_case_not_accepted", "resolved")]
    assert [each["status"] for each in await steps(strict)] == ["accepted", "retired"]


async def test_a_change_of_what_was_accepted_is_judged_as_the_policy_says(strict: World) -> None:
    step = await accepted(strict)
    links = [Link(kind="document", ref="https://wiki/dpia", digest="sha256:00")]
    await strict.hears(a_use_case(stage=Stage.DEVELOPMENT, links=links))
    assert (await only(strict))["status"] == "accepted"
    legal = {**FACETS, "legal": {**FACETS["legal"], "legal_basis": "contract"}}
    await strict.hears(a_use_case(stage=Stage.DEVELOPMENT, links=links, facets=legal))
    assert (await only(strict))["status"] == "under_review"
    # What the business owner approved is not touched by it.
    assert set(await tasks(strict, step)) == {"legal"}


async def test_it_is_given_up_once_what_serves_for_it_is_switched_off(strict: World) -> None:
    await accepted(strict)
    await strict.hears(a_version(), a_deployment())
    candidacy = await strict.put_forward()
    await strict.approve_all(candidacy["id"])
    proposal = proposed(Stage.ARCHIVED)
    await strict.hears(a_use_case(proposal=proposal))
    step: Any = {"id": str(proposal.id)}
    await decided(strict, step, "business_owner")
    step = await decided(strict, step, "legal")
    assert step["status"] == "under_review"
    assert step["blocked_by"] == ["switched_off: not so: Nothing serves any more for what is archived."]
    assert (await strict.gate())["allow"] is True
    await strict.hears(gone())
    statuses = {each["to"]: each["status"] for each in await steps(strict)}
    assert statuses == {"archived": "accepted", "development": "retired"}
    await strict.hears(a_use_case(stage=Stage.ARCHIVED))
    assert (await strict.gate())["allow"] is False
    assert {each["status"] for each in await steps(strict)} == {"retired"}


async def to_the_archive(world: World) -> dict[str, Any]:
    """Every approval given, as far as that is enough."""
    proposal = proposed(Stage.ARCHIVED)
    await world.hears(a_use_case(proposal=proposal))
    step: dict[str, Any] = {"id": str(proposal.id)}
    await decided(world, step, "business_owner")
    step = await decided(world, step, "legal")
    return step


async def named_to_switch_off(world: World) -> list[str]:
    answer = await world.ask("GET", "/v1/use-cases/retention/serving")
    return [each["urn"] for row in answer.json()["items"] if row["switch_off"] for each in row["deployments"]]


@pytest.mark.parametrize("verdict", [None, "reject", "request_changes"])
async def test_a_step_waits_for_whatever_is_named_to_be_switched_off(strict: World, verdict: str | None) -> None:
    await accepted(strict)
    await strict.hears(a_version(), a_deployment())
    candidacy = await strict.put_forward()
    if verdict is not None:
        await strict.decide((await strict.tasks(candidacy["id"]))["legal"], verdict)
    assert await named_to_switch_off(strict) == [ENDPOINT]
    step = await to_the_archive(strict)
    assert (step["status"], len(step["blocked_by"])) == ("under_review", 1)
    await strict.hears(gone())
    assert await named_to_switch_off(strict) == []
    assert {each["to"]: each["status"] for each in await steps(strict)}["archived"] == "accepted"


async def test_a_step_goes_on_when_what_serves_is_accepted_for_another_use_case(strict: World) -> None:
    await accepted(strict)
    await strict.hears(a_version(), a_deployment(), a_use_case("growth"))
    candidacy = await strict.put_forward()
    await strict.approve_all(candidacy["id"])
    step = await to_the_archive(strict)
    assert step["status"] == "under_review"
    other = await strict.put_forward(use_case="growth")
    await strict.approve_all(other["id"])
    assert await named_to_switch_off(strict) == []
    assert await Timers(strict.database).once(at=strict.clock.now()) > 0
    assert {each["to"]: each["status"] for each in await steps(strict)}["archived"] == "accepted"
    assert await Timers(strict.database).once(at=strict.clock.now()) == 0


async def test_what_another_version_of_the_same_name_serves_is_none_of_it(strict: World) -> None:
    await accepted(strict)
    await strict.hears(a_version(), a_deployment())
    candidacy = await strict.put_forward()
    await strict.approve_all(candidacy["id"])
    assert (await to_the_archive(strict))["status"] == "under_review"
    await strict.hears(a_version(created_at=MADE_AT + timedelta(days=1)))
    assert await named_to_switch_off(strict) == []
    assert await Timers(strict.database).once(at=strict.clock.now()) > 0
    assert {each["to"]: each["status"] for each in await steps(strict)}["archived"] == "accepted"


async def test_the_catalogue_is_told_to_which_stages_use_cases_go_by_review(strict: World) -> None:
    fewer = POLICY.replace("version: 1", "version: 2").replace("[development, monitoring, archived]", "[monitoring]")
    other = POLICY.replace("use-cases", "others").replace("[development, monitoring, archived]", "[monitoring]")
    for text in (other, fewer):
        assert (await strict.ask("POST", "/v1/policies", role="admin", json={"text": text})).status_code == 201
    events = await strict.told("assent.governance.reviewed_stages.changed.v1")
    assert [event.data["stages"] for event in events] == [["development", "monitoring", "archived"], ["monitoring"]]


async def test_a_policy_is_tried_on_a_use_case(strict: World) -> None:
    await strict.hears(a_use_case(stage=Stage.IDEATION, missing={"impact": ["human_oversight"]}))
    path = "/v1/policies/use-cases/simulate"
    answer = await strict.ask("POST", path, json={"use_case": "retention", "to": "development"})
    assert answer.status_code == 200, answer.text
    assert (answer.json()["passed"], answer.json()["asked"]) == (False, [["business_owner"], ["legal"]])
    assert "impact" in answer.json()["checks"][0]["reason"]
    wrong = await strict.ask("POST", path, json={"use_case": "retention", "model_version": "x"})
    assert wrong.status_code in (404, 409)


async def test_people_are_told_of_it_in_its_own_words(strict: World, notified: Notified) -> None:
    await notified.reach("business_owner", "owners@example.com", kind="role")
    await notified.reach("legal", "law@example.com", kind="role")
    await notified.reach("bea", "bea@example.com")
    await accepted(strict)
    await fire_at(strict, 364)
    told = {(each["kind"], each["recipient"]): each for each in await notified.written()}
    assert set(told) == {
        ("task.asked", "role:business_owner"),
        ("task.asked", "role:legal"),
        ("step.accepted", "person:bea"),
        ("step.review_due", "person:bea"),
    }
    assert told["step.accepted", "person:bea"]["subject"] == "Accepted for development: retention"


async def test_the_schema_goes_down_over_steps_and_up_again_and_candidacies_stay(strict: World) -> None:
    step = await accepted(strict)
    await fire_at(strict, 366)
    await decided(strict, step, "business_owner", "reject")
    candidacy = await strict.put_forward()
    await strict.approve_all(candidacy["id"])
    await down_to(strict.database, "assent_workflow", "0015")
    await migrations.upgrade(strict.database, "assent_workflow")
    assert (await steps(strict), await findings(strict)) == ([], [])
    assert (await strict.candidacy(candidacy["id"]))["status"] == "accepted"
    await accepted(strict, stage=Stage.DEVELOPMENT)
