"""A backup in which something stands that was taken away after it."""

from datetime import timedelta
from typing import Any

import pytest
from assent_common import ids
from assent_common.events import envelope
from assent_common.events.catalog import Stage
from assent_common.events.envelope import CloudEvent
from assent_common.events.governance import (
    CandidacyChanged,
    CandidacyStatus,
    DelegationChanged,
    StepChanged,
    StepStatus,
    TaskChanged,
    TaskStatus,
)
from assent_workflow.restored import reconcile

from tests.workflow.test_policy_language import LEGAL, RISK, rules
from tests.workflow.test_use_case_steps import POLICY as STEPS
from tests.workflow.test_use_case_steps import accepted as step_accepted
from tests.workflow.test_use_case_steps import findings, only
from tests.workflow.world import MADE_AT, URN, World

CHANGED = "assent.governance.candidacy.changed.v1"


async def test_no_acceptance_comes_alive_again_that_was_taken_away(world: World) -> None:
    taken = await _accepted(world)
    said = await _last_told(world, taken)
    later = said.model_copy(
        update={"status": CandidacyStatus.SUSPENDED, "changed_by": "rita", "reason": "complaints from customers"}
    )
    assert (await world.gate())["allow"] is True
    await _reconciled(world, _event(CHANGED, later, 9))
    answer = await world.gate()
    assert answer["allow"] is False
    candidacy = await world.candidacy(taken)
    assert candidacy["status"] == "suspended"
    assert "a backup was restored" in candidacy["reason"]
    assert "rita left it suspended" in candidacy["reason"]
    assert "complaints from customers" in candidacy["reason"]


async def test_what_was_taken_away_is_judged_anew_by_everybody_whatever_a_policy_lets_an_approval_outlive(
    world: World,
) -> None:
    await rules(world, LEGAL, RISK, keeps_approvals=True)
    candidacy = await world.put_forward()
    for role in ("legal", "risk"):
        assert (await world.decide((await world.tasks(candidacy["id"]))[role])).status_code == 200
    taken = candidacy["id"]
    said = await _last_told(world, taken)
    suspended = {"status": CandidacyStatus.SUSPENDED, "changed_by": "rita", "reason": "complaints from customers"}
    await _reconciled(world, _event(CHANGED, said.model_copy(update=suspended), 9))
    submitted = await world.ask("POST", f"/v1/candidacies/{taken}/submit", by="ada", role="data_scientist")
    assert submitted.status_code == 200, submitted.text
    assert (await world.candidacy(taken))["status"] == "under_review"
    assert set(await world.tasks(taken)) == {"legal", "risk"}
    assert (await world.gate())["allow"] is False


async def test_what_was_accepted_anew_after_the_backup_was_accepted_in_vain(world: World) -> None:
    taken = await _accepted(world)
    said = await _last_told(world, taken)
    await _reconciled(world, _event(CHANGED, said.model_copy(update={"review": ids.new()}), 9))
    assert (await world.gate())["allow"] is False


async def test_an_acceptance_that_stood_to_the_end_stands(world: World) -> None:
    kept = await _accepted(world)
    said = await _last_told(world, kept)
    await _reconciled(world, _event(CHANGED, said.model_copy(update={"reason": "another word for it"}), 9))
    assert (await world.gate())["allow"] is True


async def test_what_only_others_know_is_let_go(world: World) -> None:
    candidacy = CandidacyChanged(
        id=ids.new(),
        use_case="retention",
        use_case_id=ids.of_urn("retention"),
        model_version=URN,
        status=CandidacyStatus.ACCEPTED,
        put_forward_by="ada",
        changed_by="lucia",
        changed_at=MADE_AT,
    )
    task = TaskChanged(
        id=ids.new(),
        review=ids.new(),
        candidacy=candidacy.id,
        use_case="retention",
        model_version=URN,
        role="legal",
        status=TaskStatus.OPEN,
    )
    await _reconciled(world, _event(CHANGED, candidacy, 3), _event("assent.governance.task.changed.v1", task, 1))
    assert (await _last_told(world, str(candidacy.id))).status is CandidacyStatus.RETIRED
    assert (await _event_of(world, str(task.id))).data["status"] == "cancelled"


async def test_nobody_stands_in_again_who_was_not_to_any_more(world: World) -> None:
    await rules(world, {**LEGAL, "substitutes": ["risk"]})
    given = [await _delegated(world, to) for to in ("rosa", "rita", "ruth")]
    candidacy = await world.put_forward()
    [task] = (await world.tasks(candidacy["id"])).values()
    events = [await _event_of(world, each) for each in given]
    said = [event.payload for event in events]
    assert all(isinstance(each, DelegationChanged) for each in said)
    over = said[0].model_copy(update={"revoked_at": MADE_AT, "changed_by": "lucia"})
    same = said[1].model_copy(update={"reason": "another word for it"})
    # Ruth's was given after the backup.
    async with world.database.connection() as connection:
        await connection.execute("delete from delegations where id = $1", given[2])
    await _reconciled(world, *(_event(events[0].type, each, 9) for each in (over, same, said[2])))
    for who, says in (("rosa", 403), ("ruth", 403), ("rita", 200)):
        assert (await world.decide(task, by=who, role="risk")).status_code == says, who
    told = [(await _event_of(world, each)).data for each in given]
    assert [each.get("revoked_at") is not None for each in told] == [True, False, True]
    [record] = (await world.ask("GET", "/v1/audit", params={"action": "delegation.revoked"})).json()["items"]
    assert (record["subject"], "lucia revoked it at 2026-10-01" in record["details"]["reason"]) == (given[0], True)
    # Once: who hears of it again does nothing more.
    await _reconciled(world, _event(events[0].type, over, 10))
    records = (await world.ask("GET", "/v1/audit", params={"action": "delegation.revoked"})).json()["items"]
    assert records == [record]


async def test_no_step_is_accepted_again_that_was_taken_away_and_one_that_stood_to_the_end_stands(world: World) -> None:
    assert (await world.ask("POST", "/v1/policies", role="admin", json={"text": STEPS})).status_code == 201
    step = await step_accepted(world)
    event = await _event_of(world, step["id"])
    said = event.payload
    assert isinstance(said, StepChanged)
    await _reconciled(world, _event(event.type, said.model_copy(update={"reason": "another word for it"}), 9))
    assert (await only(world))["status"] == "accepted"
    later = said.model_copy(update={"status": StepStatus.REJECTED, "changed_by": "leo", "reason": "not lawful"})
    await _reconciled(world, _event(event.type, later, 10))
    suspended = await only(world)
    assert suspended["status"] == "suspended"
    assert "leo left it rejected" in suspended["reason"]
    assert await findings(world) == [("use_case_not_accepted", "open")]


@pytest.mark.parametrize(
    ("was", "ends"),
    [
        (StepStatus.UNDER_REVIEW, StepStatus.WITHDRAWN),
        (StepStatus.ACCEPTED, StepStatus.RETIRED),
        (StepStatus.SUSPENDED, StepStatus.RETIRED),
        (StepStatus.REJECTED, StepStatus.RETIRED),
        (StepStatus.CHANGES_REQUESTED, None),
        (StepStatus.NOT_ASKED, None),
    ],
)
async def test_a_step_that_only_others_know_is_let_go(world: World, was: StepStatus, ends: StepStatus | None) -> None:
    step = StepChanged(
        id=ids.new(),
        use_case="retention",
        use_case_id=ids.of_urn("retention"),
        to=Stage.MONITORING,
        status=was,
        put_forward_by="bea",
        changed_by="leo",
        changed_at=MADE_AT,
        expires_at=MADE_AT if was is StepStatus.ACCEPTED else None,
    )
    await _reconciled(world, _event("assent.governance.step.changed.v1", step, 3))
    told = await world.told("assent.governance.step.changed.v1")
    assert [(event.data["status"], event.data.get("expires_at")) for event in told] == ([(ends, None)] if ends else [])


async def _delegated(world: World, to: str) -> str:
    ends_at = (world.clock.now() + timedelta(days=7)).isoformat()
    body = {"role": "legal", "substitute": to, "ends_at": ends_at, "reason": "on leave"}
    answer = await world.ask("POST", "/v1/delegations", by="lucia", role="legal", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def _accepted(world: World) -> str:
    candidacy = await world.put_forward()
    await world.approve_all(candidacy["id"])
    return str(candidacy["id"])


async def _reconciled(world: World, *events: CloudEvent) -> None:
    async with world.database.transaction() as uow:
        await reconcile(uow, events)


async def _last_told(world: World, subject: str) -> CandidacyChanged:
    payload = (await _event_of(world, subject)).payload
    assert isinstance(payload, CandidacyChanged)
    return payload


async def _event_of(world: World, subject: str) -> CloudEvent:
    async with world.database.connection() as connection:
        body = await connection.fetchval("select body from outbox where key = $1 order by id desc limit 1", subject)
    return envelope.from_bytes(body)


def _event(type: str, payload: Any, sequence: int) -> CloudEvent:
    return envelope.create(
        source="/assent/workflow", type=type, subject=str(payload.id), sequence=sequence, time=MADE_AT, data=payload
    )
