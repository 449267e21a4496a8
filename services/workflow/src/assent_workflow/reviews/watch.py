"""What becomes of candidacies when their model version or use case changes, in the transaction that learns of it."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

from assent_common import telemetry
from assent_common.actors import ASSENT
from assent_common.content import Change as ContentChange
from assent_common.content import diff
from assent_common.events.envelope import CloudEvent
from assent_common.events.governance import CandidacyStatus as Status
from assent_common.http.problems import Conflict
from assent_common.uow import UnitOfWork

from assent_workflow import subjects
from assent_workflow.candidacies import store
from assent_workflow.candidacies.end import end_locked
from assent_workflow.candidacies.model import Candidacy, Matter, Step, Trigger, hold_on
from assent_workflow.candidacies.submit import parts_of, submit_locked
from assent_workflow.findings.rules import CLOSED_STAGES
from assent_workflow.policies import store as policies
from assent_workflow.policies.model import OnContentChange
from assent_workflow.policies.subject import StepSubject, Subject
from assent_workflow.reviews.model import dismiss, reconsider
from assent_workflow.steps.accepted import accepted

Causes = Mapping[str, CloudEvent]
"""Subject → the event that told of it."""


async def versions_changed(uow: UnitOfWork, urns: Sequence[str], causes: Causes) -> None:
    """Suspend, dismiss, let go, or look at the checks again."""
    rows = await (await uow.sql()).fetch(store.OF_VERSIONS, list(urns))
    await _look_again(uow, {row["id"]: causes[row["model_version"]] for row in rows})


async def use_cases_changed(uow: UnitOfWork, ids: Sequence[UUID], causes: Causes) -> None:
    """A check may pass that did not, another role may have to be asked; and what is given up ends all that stands."""
    rows = await (await uow.sql()).fetch(store.OF_USE_CASES, list(ids), list(CLOSED_STAGES))
    await _look_again(uow, {row["id"]: causes[str(row["use_case_id"])] for row in rows})


async def serving_changed(uow: UnitOfWork, urns: Sequence[str], causes: Causes) -> None:
    """A use case may be given up by a policy that wants all of it switched off before."""
    rows = await (await uow.sql()).fetch(store.OF_SERVING, list(urns), list(CLOSED_STAGES))
    cause = next(iter(causes.values()), None)
    if cause is not None:
        await _look_again(uow, {row["id"]: cause for row in rows})


async def _look_again(uow: UnitOfWork, causes: Mapping[UUID, CloudEvent]) -> None:
    """At candidacies by id, each in the name of the event that is the cause."""
    connection = await uow.sql()
    # A step that is accepted for the first time ends the others of its use case, which are looked at before.
    locked = sorted(await store.lock(connection, list(causes)), key=_ends_others)
    for candidacy in locked:
        with telemetry.caused_by(causes[candidacy.id]):
            subject = await subjects.subject_of(connection, candidacy)
            if (over := _what_ends_it(subject, candidacy)) is not None:
                trigger, why = over
                if candidacy.allows(trigger):
                    await end_locked(uow, candidacy, trigger, by=ASSENT, reason=why)
            elif candidacy.status is Status.ACCEPTED:
                await _hold_to_content(uow, candidacy, subject)
            elif candidacy.status is Status.UNDER_REVIEW:
                await go_on(uow, candidacy, subject)


def _ends_others(candidacy: Matter) -> bool:
    return isinstance(candidacy, Step) and candidacy.accepted_at is None


def _what_ends_it(subject: Subject | StepSubject, candidacy: Matter) -> tuple[Trigger, str] | None:
    if isinstance(subject, Subject) and not subject.version.live:
        return Trigger.MISSING_FROM_SOURCE, "its source no longer has the model version"
    if (
        isinstance(subject, Subject)
        and isinstance(candidacy, Candidacy)
        and not candidacy.is_of(subject.version.created_at)
    ):
        return Trigger.MISSING_FROM_SOURCE, "its source made another model version under the same name"
    if subject.use_case.is_given_up:
        return Trigger.USE_CASE_GIVEN_UP, f"the use case is {subject.use_case.stage}"
    return None


async def _hold_to_content(uow: UnitOfWork, candidacy: Matter, subject: Subject | StepSubject) -> None:
    if candidacy.content_hash == subject.content_hash:
        return
    connection = await uow.sql()
    assert candidacy.review is not None
    changes = diff(await store.judged(connection, candidacy.review), subject.content)
    assert candidacy.policy is not None
    policy = await policies.pinned(connection, candidacy.policy)
    follows = policy.what_follows(parts_of(changes)) if changes else OnContentChange.SUSPEND
    if follows is OnContentChange.KEEP:
        what = f"{candidacy.policy} lets it hold though the content changed: {described(changes)}"
        await _let_hold(uow, candidacy, subject, what)
        return
    judged = await store.round_of(connection, candidacy)
    if judged.review.content_hash == subject.content_hash:
        await _let_hold(uow, candidacy, subject, "the content is again what was judged")
        return
    reason = "the content changed: " + described(changes)
    suspended = await end_locked(uow, candidacy, Trigger.CONTENT_CHANGED, by=ASSENT, reason=reason)
    if follows is OnContentChange.REVIEW:
        # Where it cannot be told by which policy, it stays suspended.
        with suppress(Conflict):
            await submit_locked(uow, suspended, by=ASSENT, because_of=changes)


async def _let_hold(uow: UnitOfWork, candidacy: Matter, subject: Subject | StepSubject, reason: str) -> None:
    """What was judged stays what the next change is compared with, so that many small ones add up."""
    content_hash = subject.content_hash
    after = hold_on(candidacy, content_hash, by=ASSENT, at=uow.clock.now(), reason=reason)
    await store.save_candidacy(uow, candidacy, after)
    uow.audit(ASSENT, f"{candidacy.noun}.kept", str(candidacy.id), {"reason": reason, "content_hash": content_hash})


async def go_on(uow: UnitOfWork, candidacy: Matter, subject: Subject | StepSubject) -> None:
    """For one that is under review and locked, by what is known now."""
    connection = await uow.sql()
    before = await store.round_of(connection, candidacy)
    now = uow.clock.now()
    policy = await policies.pinned(connection, before.review.policy)
    assessment = await subjects.assessed(connection, policy, subject, now, review=before.review.id)
    moved = before
    if before.review.content_hash != subject.content_hash:
        changes = diff(await store.judged(connection, before.review.id), subject.content)
        parts = parts_of(changes) or None
        moved = dismiss(before, assessment, diff=described(changes), by=ASSENT, at=now, parts=parts)
        content = subject.content
        await store.save(uow, candidacy, moved, moved.since(before), content=content, facts=assessment.facts)
        details: dict[str, Any] = {
            "reason": moved.candidacy.reason,
            "content_hash": moved.review.content_hash,
            "content": subject.content,
        }
        uow.audit(ASSENT, "review.dismissed", str(candidacy.id), details)
    after = reconsider(moved, assessment, by=ASSENT, at=now)
    await store.save(uow, moved.candidacy, after, after.since(moved), facts=assessment.facts)
    if after.candidacy.status is not candidacy.status:
        details = {
            "policy": after.review.policy,
            "reason": after.candidacy.reason,
            "content_hash": after.review.content_hash,
            "checks": [check.model_dump(mode="json") for check in after.review.checks],
        }
        uow.audit(ASSENT, f"{candidacy.noun}.{after.candidacy.status}", str(candidacy.id), details)
        await accepted(uow, candidacy, after.candidacy, by=ASSENT)


def described(changes: Sequence[ContentChange], most: int = 5) -> str:
    """The differences on one line."""
    said = [f"{change.part} was {_short(change.before)}, is {_short(change.after)}" for change in changes[:most]]
    more = [f"and {len(changes) - most} more"] if len(changes) > most else []
    return "; ".join(said + more)


def _short(value: object) -> str:
    text = "absent" if value is None else str(value)
    return text if len(text) <= 80 else text[:79] + "…"
