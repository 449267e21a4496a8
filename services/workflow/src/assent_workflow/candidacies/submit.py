"""Submit a candidacy: a review opens, pinned to the policy that applies now and to the content that stands now."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
from assent_common.content import Change, diff
from assent_common.events.governance import CandidacyStatus
from assent_common.http.problems import Conflict, NotFound
from assent_common.uow import UnitOfWork

from assent_workflow import subjects
from assent_workflow.candidacies import store
from assent_workflow.candidacies.model import Matter, Step, Trigger
from assent_workflow.policies import store as policies
from assent_workflow.policies.model import Policy
from assent_workflow.policies.select import NoOnePolicy, NoPolicy
from assent_workflow.policies.subject import StepSubject, Subject
from assent_workflow.reviews.model import Change as RoundChange
from assent_workflow.reviews.model import ReviewStatus, Round, open_review, reconsider
from assent_workflow.steps.accepted import accepted

# What the last suspension followed from: who did it does not tell, for Assent itself suspends what expired, and what a
# backup brought back. Index: audit_subject.
SUSPENDED_BY = "select details ->> 'trigger' from audit where subject = $1 and action = $2 order by id desc limit 1"


async def submit(uow: UnitOfWork, id_: UUID, *, by: str) -> None:
    """Raises NotFound, Conflict or ImpossibleTransition."""
    connection = await uow.sql()
    await subjects.hold(connection, id_)
    locked = await store.lock(connection, [id_])
    if not locked:
        raise NotFound(f"there is no candidacy {id_}")
    await submit_locked(uow, locked[0], by=by)


async def submit_locked(
    uow: UnitOfWork, candidacy: Matter, *, by: str, because_of: Sequence[Change] | None = None
) -> Round:
    """For one whose row is locked. `because_of` is the change of content for which an acceptance is looked at again."""
    connection = await uow.sql()
    now = uow.clock.now()
    subject = await subjects.subject_of(connection, candidacy)
    if subject.use_case.is_given_up:
        raise Conflict(f"use case {subject.use_case.key!r} is {subject.use_case.stage}")
    if isinstance(subject, Subject) and not subject.version.live:
        raise Conflict("its source no longer has this model version")
    policy = await _policy(connection, candidacy, subject, now)
    last = await _last(connection, candidacy)
    changes = because_of
    # Suspended by hand or after its time, an acceptance is to be looked at anew, and so is what was rejected.
    if (
        last is not None
        and changes is None
        and (
            last.review.status is ReviewStatus.CHANGES_REQUESTED
            or await _suspended_for_its_content(connection, candidacy, last, policy, now)
        )
    ):
        changes = diff(await store.judged(connection, last.review.id), subject.content)
    assessment = await subjects.assessed(connection, policy, subject, now, review=None)
    opened = open_review(
        candidacy,
        assessment,
        requested_by=by,
        at=now,
        last=last if changes is not None else None,
        parts=parts_of(changes or ()),
    )
    change = RoundChange(opened.candidacy, opened.review, opened.tasks)
    await store.save(uow, candidacy, opened, change, content=subject.content, facts=assessment.facts)
    after = reconsider(opened, assessment, by=by, at=now)
    await store.save(uow, opened.candidacy, after, after.since(opened), facts=assessment.facts)
    details = {
        "policy": policy.ref,
        "review": str(opened.review.id),
        "content_hash": opened.review.content_hash,
        "content": subject.content,
        "kept": [str(task.kept_from) for task in after.tasks if task.kept_from],
        "checks": [check.model_dump(mode="json") for check in opened.review.checks],
    }
    uow.audit(by, f"{candidacy.noun}.submitted", str(candidacy.id), details)
    if after.candidacy.status is CandidacyStatus.ACCEPTED:
        # Approvals of the round before were all that it needed.
        why = {"policy": policy.ref, "reason": after.candidacy.reason}
        uow.audit(by, f"{candidacy.noun}.accepted", str(candidacy.id), why)
    await accepted(uow, candidacy, after.candidacy, by=by)
    return after


async def _policy(
    connection: asyncpg.Connection, candidacy: Matter, subject: Subject | StepSubject, at: datetime
) -> Policy:
    try:
        return subjects.select(await policies.everything(connection), subject, at)
    except NoOnePolicy as error:
        # What was accepted by a policy is looked at again by it, where no other asks for that any more.
        if isinstance(error, NoPolicy) and isinstance(candidacy, Step) and candidacy.policy is not None:
            return await policies.pinned(connection, candidacy.policy)
        raise Conflict(str(error)) from error


async def _suspended_for_its_content(
    connection: asyncpg.Connection, candidacy: Matter, last: Round, policy: Policy, at: datetime
) -> bool:
    """And for nothing else, within the time for which what was approved was to hold."""
    ended = last.review.ended_at
    if candidacy.status is not CandidacyStatus.SUSPENDED or ended is None or ended + policy.valid_for <= at:
        return False
    trigger = await connection.fetchval(SUSPENDED_BY, str(candidacy.id), f"{candidacy.noun}.{candidacy.status}")
    return bool(trigger == Trigger.CONTENT_CHANGED)


async def _last(connection: asyncpg.Connection, candidacy: Matter) -> Round | None:
    """The round before. Of a step that is proposed anew, that of the one that was sent back."""
    if candidacy.review is not None:
        return await store.round_of(connection, candidacy)
    if not isinstance(candidacy, Step):
        return None
    sent_back = [
        step
        for step in await store.steps_of(connection, candidacy.use_case_id)
        if step.to is candidacy.to and step.status is CandidacyStatus.CANDIDATE and step.review is not None
    ]
    return await store.round_of(connection, sent_back[-1]) if sent_back else None


def parts_of(changes: Iterable[Change]) -> frozenset[str]:
    """The parts of a content as a policy names them."""
    return frozenset(change.part.partition(".")[0] for change in changes)
