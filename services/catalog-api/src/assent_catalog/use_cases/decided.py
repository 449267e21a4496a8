"""What the workflow says of a use case's step: the use case goes where it leads, or stays and says why."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import asyncpg
from assent_common import telemetry
from assent_common.events.catalog import StepOutcome
from assent_common.events.envelope import CloudEvent
from assent_common.events.governance import ReviewedStages, StepChanged, StepStatus
from assent_common.uow import UnitOfWork

from assent_catalog.use_cases import store, write
from assent_catalog.use_cases.store import UseCase

STAGES = "update reviewed_stages set stages = $1, sequence = $2 where sequence < $2"


async def stages_changed(connection: asyncpg.Connection, events: Sequence[tuple[CloudEvent, ReviewedStages]]) -> None:
    for event, told in events:
        await connection.execute(STAGES, list(told.stages), event.number)


async def steps_changed(
    uow: UnitOfWork, events: Sequence[tuple[CloudEvent, StepChanged]], *, beside: Collection[str] = ()
) -> None:
    """Each once, in any order: a proposal is decided by its own id, and what is told of the step last decided counts
    where it is newer. `beside` are the keys of others that this transaction changes: all are locked in one order."""
    if not events:
        return
    keys = {step.use_case for _, step in events}
    locked = await store.lock_several(await uow.sql(), keys | set(beside))
    standing: dict[str, UseCase] = {use_case.key: use_case for use_case in locked}
    for event, step in events:
        before = standing.get(step.use_case)
        if before is None or (after := follow(before, step, event.number)) is None:
            continue
        with telemetry.caused_by(event):
            after = write.stepped(after, uow, by=step.changed_by)
            await store.update(uow, after, was=before.sequence)
            details: Mapping[str, Any] = {"step": str(step.id), "to": step.to, "status": step.status}
            uow.audit(step.changed_by, "use_case.decided", before.key, {**details, "reason": step.reason})
            if after.stage is not before.stage:
                moved = {"from": before.stage, "to": after.stage, "step": str(step.id)}
                uow.audit(step.changed_by, "use_case.moved", before.key, moved)
        standing[step.use_case] = after


def follow(use_case: UseCase, step: StepChanged, number: int) -> UseCase | None:
    """The use case after it; None where it says nothing new. Pure."""
    is_proposed = use_case.proposal is not None and use_case.proposal["id"] == str(step.id)
    if use_case.outcome is not None and use_case.outcome["step"] == str(step.id):
        if number <= use_case.outcome["sequence"]:
            return None
    elif not is_proposed:
        return None
    outcome = StepOutcome(
        step=step.id,
        to=step.to,
        status=step.status,
        reason=step.reason,
        review=step.review,
        policy=step.policy,
        decided_by=step.changed_by,
        decided_at=step.changed_at,
        expires_at=step.expires_at,
        sequence=number,
    )
    after = replace(use_case, outcome=outcome.model_dump(mode="json"))
    if not is_proposed or (step.accepted_at is None and step.status is StepStatus.UNDER_REVIEW):
        return after
    # What is told may have left out that it was accepted: a topic keeps an entity's last state.
    return replace(after, proposal=None, stage=step.to if step.accepted_at is not None else use_case.stage)
