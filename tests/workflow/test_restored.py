"""A backup in which something is accepted that was taken away after it."""

from typing import Any

from assent_common import ids
from assent_common.events import envelope
from assent_common.events.envelope import CloudEvent
from assent_common.events.governance import CandidacyChanged, CandidacyStatus, TaskChanged, TaskStatus
from assent_workflow.restored import reconcile

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
