"""What breaks the rules is found in the transaction that learns of it, and ends when it ends."""

import asyncio
import random
from datetime import timedelta
from typing import Any

import pytest
from assent_common.events.catalog import Stage
from assent_common.events.registry import ApprovalDrift, Kind, Monitor
from assent_workflow.timers.due import Timers
from assent_workflow.timers.fire import fire

from tests.workflow.world import MADE_AT, URN, World, a_deployment, a_use_case, a_version, gone

OTHER = URN.replace("/7", "/8")


async def findings(world: World, **selection: str) -> list[dict[str, Any]]:
    answer = await world.ask("GET", "/v1/findings", params=selection)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def kinds(world: World) -> list[str]:
    return sorted(finding["kind"] for finding in await findings(world, status="open"))


async def accepted(world: World) -> dict[str, Any]:
    candidacy = await world.put_forward()
    await world.approve_all(candidacy["id"])
    return candidacy


async def test_what_serves_unaccepted_is_found_once_and_resolved_by_its_acceptance(world: World) -> None:
    await world.hears(a_deployment())
    await world.hears(a_deployment(weight=0.5))
    [finding] = await findings(world)
    assert (finding["kind"], finding["severity"], finding["status"]) == ("unaccepted_deployment", "high", "open")
    assert "nobody put forward" in finding["summary"]
    await accepted(world)
    [resolved] = await findings(world)
    assert (resolved["id"], resolved["status"]) == (finding["id"], "resolved")
    told = [event.data["status"] for event in await world.told("assent.governance.finding.changed.v1")]
    assert (told[0], told[-1]) == ("open", "resolved")


async def test_it_comes_back_as_the_same_finding(world: World) -> None:
    candidacy = await accepted(world)
    await world.hears(a_deployment())
    assert await kinds(world) == []
    path = f"/v1/candidacies/{candidacy['id']}/suspend"
    answer = await world.ask("POST", path, role="risk", json={"reason": "complaints"})
    assert answer.status_code == 200, answer.text
    [finding] = await findings(world, status="open")
    assert finding["owner"] == "Bea"
    await world.hears(gone())
    assert await kinds(world) == []
    await world.hears(a_deployment())
    [again] = await findings(world, status="open")
    assert (again["id"], again["times_found"]) == (finding["id"], 2)


async def test_changed_content_an_approval_at_the_source_a_violation_and_what_cannot_be_told(world: World) -> None:
    await accepted(world)
    drift = ApprovalDrift(found="Approved", by="arn:aws:iam::1:user/eve", at=MADE_AT)
    await world.hears(a_version(accuracy=0.5, approval_drift=drift))
    assert await kinds(world) == ["content_changed", "decided_at_source"]
    await world.hears(a_version(accuracy=0.91))
    assert await kinds(world) == []
    monitor = Monitor(urn="arn:m", name="quality", last_execution_status="CompletedWithViolations")
    await world.hears(a_deployment(model_version=None, monitors=[monitor]))
    assert await kinds(world) == ["monitor_violation", "unidentified_deployment"]
    await world.hears(a_deployment(model_version=None, status="Failed", monitors=[monitor]))
    assert await kinds(world) == []


async def test_an_expired_acceptance_is_found_until_somebody_looks_again(world: World) -> None:
    candidacy = await accepted(world)
    async with world.database.transaction() as uow:
        assert await fire(uow, at=world.clock.now() + timedelta(days=366)) == 2
    assert await kinds(world) == ["acceptance_expired"]
    answer = await world.ask("POST", f"/v1/candidacies/{candidacy['id']}/submit", by="ada", role="data_scientist")
    assert answer.status_code == 200
    assert await kinds(world) == []


NOTHING_OPEN = """
name: default
version: 2
checks:
  - name: nothing-open
    description: Nothing is found of it that an acceptance does not put right.
    expression: version.findings.all(f, f.ended_by_acceptance)
stages: [{name: one, approvals: [{role: legal, due_in: P5D}]}]
valid_for: P30D
"""


@pytest.mark.parametrize("how", ["accept-risk", "resolve"])
async def test_what_only_a_finding_kept_from_acceptance_is_accepted_when_the_finding_ends(
    world: World, how: str
) -> None:
    monitor = Monitor(urn="arn:m", name="quality", last_execution_status="CompletedWithViolations")
    answer = await world.ask("POST", "/v1/policies", role="admin", json={"text": NOTHING_OPEN})
    assert answer.status_code == 201, answer.text
    await world.hears(a_deployment(monitors=[monitor]))
    candidacy = await world.put_forward()
    assert (await world.decide((await world.tasks(candidacy["id"]))["legal"])).status_code == 200
    held = await world.candidacy(candidacy["id"])
    assert held["status"] == "under_review"
    assert len(held["blocked_by"]) == 1
    [finding] = [each for each in await findings(world, status="open") if each["kind"] == "monitor_violation"]
    until = (world.clock.now() + timedelta(days=30)).isoformat()
    body = {"reason": "looked into"} | ({"until": until} if how == "accept-risk" else {})
    answer = await world.ask("POST", f"/v1/findings/{finding['id']}/{how}", by="rita", role="risk", json=body)
    assert answer.status_code == 200, answer.text
    assert (await world.candidacy(candidacy["id"]))["status"] == "under_review"
    timers = Timers(world.database)
    assert await timers.once() > 0
    assert (await world.candidacy(candidacy["id"]))["status"] == "accepted"
    while await timers.once():
        pass
    told = [event.data["status"] for event in await world.told("assent.governance.candidacy.changed.v1")]
    assert told == ["candidate", "under_review", "accepted"]


async def test_a_use_case_that_was_given_up_while_its_model_serves(world: World) -> None:
    await accepted(world)
    await world.hears(a_deployment())
    await world.hears(a_use_case(stage=Stage.ARCHIVED))
    assert await kinds(world) == ["retired_use_case_serves"]
    await world.hears(gone())
    assert await kinds(world) == []


async def test_a_version_that_is_gone_while_it_serves(world: World) -> None:
    await accepted(world)
    await world.hears(a_deployment())
    assert await kinds(world) == []
    await world.hears(gone(URN, Kind.MODEL_VERSION))
    assert await kinds(world) == ["missing_version_serves", "unaccepted_deployment"]
    await world.hears(gone())
    assert await kinds(world) == []


@pytest.mark.parametrize("seed", range(4))
async def test_the_same_is_found_whatever_the_order_and_however_often_it_is_heard(world: World, seed: int) -> None:
    drift = ApprovalDrift(found="Approved", at=MADE_AT)
    payloads = [
        a_deployment(),
        a_deployment(model_version=OTHER),
        a_deployment("arn:second", model_versions=[URN, OTHER]),
        a_version(OTHER, approval_drift=drift),
        a_version(OTHER),
        gone("arn:second"),
        a_deployment("arn:third", model_version=None),
        gone(OTHER, Kind.MODEL_VERSION),
    ]
    events = [world.event(payload) for payload in payloads] * 2
    chance = random.Random(seed)
    chance.shuffle(events)
    while events:
        count = chance.randint(1, 4)
        await world.apply(*events[:count])
        del events[:count]
    assert await kinds(world) == ["missing_version_serves", "unaccepted_deployment", "unidentified_deployment"]


async def test_a_suspension_and_a_roll_out_at_once_are_seen_by_whoever_is_second(world: World) -> None:
    candidacy = await accepted(world)
    path = f"/v1/candidacies/{candidacy['id']}/suspend"
    _, answer = await asyncio.gather(
        world.hears(a_deployment()), world.ask("POST", path, role="risk", json={"reason": "complaints"})
    )
    assert answer.status_code == 200
    assert await kinds(world) == ["unaccepted_deployment"]


async def test_what_nobody_put_forward_is_of_whoever_made_it_or_owns_another_version_of_its_model(world: World) -> None:
    model = "arn:aws:sagemaker:eu-central-1:123456789012:model-package-group/customer-churn"
    maker = "arn:aws:sts::123456789012:assumed-role/pipelines/mia"

    async def owner() -> Any:
        [finding] = await findings(world, status="open", model_version=OTHER)
        return finding["owner"]

    await world.hears(a_version(model=model), a_version(OTHER, version=8, model=model, created_by=maker))
    await world.hears(a_deployment(model_version=OTHER))
    assert await owner() is None
    told = {"name": maker, "subject": "mia@example.com"}
    assert (await world.ask("PUT", "/v1/identities", role="admin", json=told)).status_code == 200
    await world.hears(a_deployment(model_version=OTHER, weight=0.5))
    assert await owner() == "mia@example.com"
    await world.put_forward(submit=False)
    await world.hears(a_deployment(model_version=OTHER))
    assert await owner() == "Bea"


async def test_a_risk_is_accepted_until_a_date_and_not_by_who_put_it_forward(world: World) -> None:
    await world.put_forward(by="ada", submit=False)
    await world.hears(a_deployment())
    [finding] = await findings(world)
    path = f"/v1/findings/{finding['id']}"
    risk = {"until": (world.clock.now() + timedelta(days=3)).isoformat(), "reason": "replaced soon"}
    assert (await world.ask("POST", f"{path}/accept-risk", by="ada", role="risk", json=risk)).status_code == 403
    naive = {**risk, "until": "2027-01-01T00:00:00"}
    assert (await world.ask("POST", f"{path}/accept-risk", by="rita", role="risk", json=naive)).status_code == 422
    for until, why in ((world.clock.now(), "that is over"), (world.clock.now() + timedelta(days=400), "366 days")):
        no_day = {**risk, "until": until.isoformat()}
        fault = await world.ask("POST", f"{path}/accept-risk", by="rita", role="risk", json=no_day)
        assert (fault.status_code, fault.json()["errors"][0]["pointer"], why in fault.text) == (422, "/until", True)
    answer = await world.ask("POST", f"{path}/accept-risk", by="rita", role="risk", json=risk)
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "risk_accepted"
    assert await kinds(world) == []
    refused = await world.ask("POST", f"{path}/resolve", by="rita", role="risk", json={"reason": "fine"})
    assert refused.status_code == 409
    async with world.database.transaction() as uow:
        assert await fire(uow, at=world.clock.now() + timedelta(days=3)) == 1
    assert await kinds(world) == ["unaccepted_deployment"]
    stale = await world.ask(
        "POST", f"{path}/accept-risk", by="rita", role="risk", json=risk, headers={"If-Match": '"1"'}
    )
    assert stale.status_code == 412


async def test_a_policy_may_ask_for_no_open_finding_but_those_that_acceptance_ends(world: World) -> None:
    text = """
name: clean
version: 1
applies_to: use_case.key == "retention"
checks:
  - name: nothing_found
    description: Nothing is found of the version.
    expression: version.findings.all(f, f.ended_by_acceptance)
stages:
  - name: legal
    approvals: [{role: legal, due_in: P7D}]
valid_for: P100D
"""
    answer = await world.ask("POST", "/v1/policies", role="admin", json={"text": text})
    assert answer.status_code == 201, answer.text
    await world.hears(a_deployment(), a_version(approval_drift=ApprovalDrift(found="Approved", at=MADE_AT)))
    candidacy = await world.put_forward()
    tasks = await world.tasks(candidacy["id"])
    assert (await world.decide(tasks["legal"])).status_code == 200
    held = await world.candidacy(candidacy["id"])
    assert (held["status"], held["blocked_by"]) == (
        "under_review",
        ["nothing_found: not so: Nothing is found of the version."],
    )
    await world.hears(a_version())
    assert (await world.candidacy(candidacy["id"]))["status"] == "accepted"
    assert await kinds(world) == []
