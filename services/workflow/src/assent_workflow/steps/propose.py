"""A use case is proposed for another stage: a review opens, or no policy asks for one and it goes there at once."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from assent_common import telemetry
from assent_common.actors import ASSENT
from assent_common.events.catalog import Proposal
from assent_common.events.envelope import CloudEvent
from assent_common.events.governance import CandidacyStatus
from assent_common.uow import UnitOfWork

from assent_workflow import subjects
from assent_workflow.candidacies import store
from assent_workflow.candidacies.end import end_locked
from assent_workflow.candidacies.model import Person, Step, Trigger, propose, transition
from assent_workflow.candidacies.submit import submit_locked
from assent_workflow.policies import store as policies
from assent_workflow.policies.select import NoOnePolicy, NoPolicy

# Index: the primary key.
PROPOSED = "select id, key, proposal from use_cases where id = any($1::uuid[]) order by id"


async def proposals_changed(uow: UnitOfWork, ids: Sequence[UUID], causes: Mapping[str, CloudEvent]) -> None:
    """Of use cases that are held to change. What is proposed already is left as it is."""
    for row in await (await uow.sql()).fetch(PROPOSED, list(ids)):
        with telemetry.caused_by(causes[str(row["id"])]):
            await _follow(uow, row)


async def _follow(uow: UnitOfWork, row: Mapping[str, Any]) -> None:
    connection = await uow.sql()
    proposal = Proposal.model_validate(row["proposal"]) if row["proposal"] else None
    for step in await store.steps_of(connection, row["id"]):
        is_it = proposal is not None and proposal.id == step.id
        # Who was accepted before is looked at again, which nobody proposed.
        if step.status is CandidacyStatus.UNDER_REVIEW and not is_it and step.accepted_at is None:
            await end_locked(uow, step, Trigger.WITHDRAW, by=ASSENT, reason="it is not proposed any more")
    if proposal is None:
        return
    by = Person(proposal.issuer, proposal.proposed_by)
    step = propose(
        id=proposal.id, use_case=row["key"], use_case_id=row["id"], to=proposal.to, by=by, at=uow.clock.now()
    )
    if await store.insert_step(uow, step):
        details = {"use_case": step.use_case, "to": step.to, "reason": proposal.reason}
        uow.audit(by.subject, "step.proposed", str(step.id), details)
        await _open(uow, step)


async def _open(uow: UnitOfWork, step: Step) -> None:
    connection = await uow.sql()
    subject = await subjects.subject_of(connection, step)
    now = uow.clock.now()
    if subject.use_case.is_given_up:
        reason = f"the use case is {subject.use_case.stage}"
        await end_locked(uow, step, Trigger.USE_CASE_GIVEN_UP, by=ASSENT, reason=reason)
        return
    try:
        subjects.select(await policies.everything(connection), subject, now)
    except NoPolicy:
        reason = f"no policy asks for a review of a step to {step.to}"
        after = transition(step, Trigger.NOT_ASKED, by=ASSENT, at=now, reason=reason)
        await store.save_candidacy(uow, step, after)
        uow.audit(ASSENT, "step.not_asked", str(step.id), {"to": step.to, "reason": reason})
    except NoOnePolicy as error:
        # Whoever proposed it mends what the sentence says, and proposes it again.
        sent_back = replace(step, reason=str(error), changed_by=ASSENT, changed_at=now, sequence=step.sequence + 1)
        await store.save_candidacy(uow, step, sent_back)
        uow.audit(ASSENT, "step.candidate", str(step.id), {"to": step.to, "reason": str(error)})
    else:
        await submit_locked(uow, step, by=step.put_forward_by.subject)
