"""What is judged, and its states. Each change of status goes through `transition`; `TRANSITIONS` is all it knows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar, TypeVar
from uuid import UUID

from assent_common import ids
from assent_common.canonical import ContentHash
from assent_common.events.catalog import ModelVersionStatus, Stage
from assent_common.events.governance import CandidacyStatus
from assent_common.ids import Urn

from assent_workflow.identities.model import Person as Person

Status = CandidacyStatus


class Trigger(StrEnum):
    """What moves a candidacy."""

    PUT_FORWARD = "put_forward"
    SUBMIT = "submit"
    #: Every approval given, every check passed.
    ALL_APPROVED = "all_approved"
    #: Accepted for a short while without that, by one whom the policy lets do so.
    OVERRIDE = "override"
    TASK_REJECTED = "task_rejected"
    CHANGES_REQUESTED = "changes_requested"
    CONTENT_CHANGED = "content_changed"
    #: The time is up for which the policy lets an acceptance hold.
    EXPIRED = "expired"
    SUSPEND = "suspend"
    RETIRE = "retire"
    WITHDRAW = "withdraw"
    #: The source no longer has the version, or has made another one under its urn.
    MISSING_FROM_SOURCE = "missing_from_source"
    #: The use case was rejected or archived.
    USE_CASE_GIVEN_UP = "use_case_given_up"
    #: No policy asks for a review of a use case's step: it is made at once.
    NOT_ASKED = "not_asked"
    #: A later step of the use case was accepted, which stands in its place.
    SUPERSEDED = "superseded"


#: What somebody can ask for by hand; the rest follows from decisions, from the source or from time.
BY_HAND = frozenset({Trigger.SUBMIT, Trigger.OVERRIDE, Trigger.SUSPEND, Trigger.RETIRE, Trigger.WITHDRAW})

LETS_GO = frozenset({Trigger.ALL_APPROVED, Trigger.OVERRIDE, Trigger.NOT_ASKED})

TRANSITIONS: Mapping[tuple[Status | None, Trigger], Status] = {
    (None, Trigger.PUT_FORWARD): Status.CANDIDATE,
    (Status.CANDIDATE, Trigger.SUBMIT): Status.UNDER_REVIEW,
    (Status.CANDIDATE, Trigger.WITHDRAW): Status.WITHDRAWN,
    # Nobody ever judged it or no judgement is out: there is nothing to retire.
    (Status.CANDIDATE, Trigger.MISSING_FROM_SOURCE): Status.WITHDRAWN,
    (Status.CANDIDATE, Trigger.USE_CASE_GIVEN_UP): Status.WITHDRAWN,
    (Status.CANDIDATE, Trigger.NOT_ASKED): Status.RETIRED,
    (Status.CANDIDATE, Trigger.SUPERSEDED): Status.WITHDRAWN,
    (Status.UNDER_REVIEW, Trigger.ALL_APPROVED): Status.ACCEPTED,
    (Status.UNDER_REVIEW, Trigger.OVERRIDE): Status.ACCEPTED,
    (Status.UNDER_REVIEW, Trigger.TASK_REJECTED): Status.REJECTED,
    (Status.UNDER_REVIEW, Trigger.CHANGES_REQUESTED): Status.CANDIDATE,
    # The round goes on, on the new content and without the approvals given so far.
    (Status.UNDER_REVIEW, Trigger.CONTENT_CHANGED): Status.UNDER_REVIEW,
    (Status.UNDER_REVIEW, Trigger.WITHDRAW): Status.WITHDRAWN,
    (Status.UNDER_REVIEW, Trigger.MISSING_FROM_SOURCE): Status.WITHDRAWN,
    (Status.UNDER_REVIEW, Trigger.USE_CASE_GIVEN_UP): Status.WITHDRAWN,
    (Status.UNDER_REVIEW, Trigger.SUPERSEDED): Status.WITHDRAWN,
    (Status.ACCEPTED, Trigger.CONTENT_CHANGED): Status.SUSPENDED,
    (Status.ACCEPTED, Trigger.EXPIRED): Status.SUSPENDED,
    (Status.ACCEPTED, Trigger.SUSPEND): Status.SUSPENDED,
    (Status.ACCEPTED, Trigger.RETIRE): Status.RETIRED,
    (Status.ACCEPTED, Trigger.MISSING_FROM_SOURCE): Status.RETIRED,
    (Status.ACCEPTED, Trigger.USE_CASE_GIVEN_UP): Status.RETIRED,
    (Status.ACCEPTED, Trigger.SUPERSEDED): Status.RETIRED,
    (Status.SUSPENDED, Trigger.SUBMIT): Status.UNDER_REVIEW,
    (Status.SUSPENDED, Trigger.RETIRE): Status.RETIRED,
    (Status.SUSPENDED, Trigger.MISSING_FROM_SOURCE): Status.RETIRED,
    (Status.SUSPENDED, Trigger.USE_CASE_GIVEN_UP): Status.RETIRED,
    (Status.SUSPENDED, Trigger.SUPERSEDED): Status.RETIRED,
    (Status.REJECTED, Trigger.SUBMIT): Status.UNDER_REVIEW,
    (Status.REJECTED, Trigger.RETIRE): Status.RETIRED,
    (Status.REJECTED, Trigger.MISSING_FROM_SOURCE): Status.RETIRED,
    (Status.REJECTED, Trigger.USE_CASE_GIVEN_UP): Status.RETIRED,
    (Status.REJECTED, Trigger.SUPERSEDED): Status.RETIRED,
}

#: Nothing leads out of these. A version may then be put forward again, as a new candidacy.
ENDED = frozenset(Status) - {status for status, _ in TRANSITIONS}

STRENGTH = (
    ModelVersionStatus.ACCEPTED,
    ModelVersionStatus.SUSPENDED,
    ModelVersionStatus.UNDER_REVIEW,
    ModelVersionStatus.CANDIDATE,
    ModelVersionStatus.REJECTED,
    ModelVersionStatus.RETIRED,
    ModelVersionStatus.WITHDRAWN,
)


class ImpossibleTransition(Exception):
    """The candidacy's state does not allow this."""

    def __init__(self, candidacy: UUID, status: Status, trigger: Trigger) -> None:
        #: What somebody can do instead.
        self.allowed = tuple(allowed for allowed in allowed_from(status) if allowed in BY_HAND)
        instead = f"allowed is {', '.join(self.allowed)}" if self.allowed else "nothing leads out of that"
        super().__init__(f"the candidacy is {status}, which {trigger} does not follow; {instead}")
        self.candidacy = candidacy
        self.status = status
        self.trigger = trigger


@dataclass(frozen=True, kw_only=True)
class Matter:
    """What is judged in rounds: a candidacy, or a use case's step. All that rounds know of it."""

    #: As records call it.
    noun: ClassVar[str]
    id: UUID
    use_case: str
    use_case_id: UUID
    status: Status
    #: Why it stands there, in words.
    reason: str | None = None
    #: What was judged last, in which round and by which policy (`name@version`); absent until submitted.
    content_hash: ContentHash | None = None
    review: UUID | None = None
    policy: str | None = None
    put_forward_by: Person
    #: A subject, or the part of Assent that noticed.
    changed_by: str
    changed_at: datetime
    #: Until when an acceptance holds; of an accepted one only.
    expires_at: datetime | None = None
    #: Who accepted it past its policy, in an emergency; of such an acceptance only.
    overridden_by: str | None = None
    #: Where alone it holds; everywhere, where absent. Of an acceptance only.
    environments: tuple[str, ...] | None = None
    #: When it was accepted first, or a step let go, whatever came after.
    accepted_at: datetime | None = None
    sequence: int = 1

    def __post_init__(self) -> None:
        if self.status in (Status.UNDER_REVIEW, Status.ACCEPTED) and None in (
            self.content_hash,
            self.review,
            self.policy,
        ):
            raise ValueError(f"{self.status} without the content, review and policy that it rests on")
        if (self.status is Status.ACCEPTED) != (self.expires_at is not None):
            raise ValueError("an acceptance has an end, and nothing else has")
        if self.overridden_by is not None and self.status is not Status.ACCEPTED:
            raise ValueError("an acceptance is overridden, and nothing else is")
        if self.environments is not None and self.status is not Status.ACCEPTED:
            raise ValueError("an acceptance holds somewhere, and nothing else does")

    def allows(self, trigger: Trigger) -> bool:
        return (self.status, trigger) in TRANSITIONS


@dataclass(frozen=True, kw_only=True)
class Candidacy(Matter):
    """One model version put forward for one use case."""

    noun = "candidacy"
    model_version: Urn
    #: When the source made it: the same urn made at another time is another version.
    version_created_at: datetime

    def is_of(self, version_created_at: datetime) -> bool:
        """Whether the version that the source made then is the one put forward, not a later one under the same urn.

        The source's operations differ in how finely they tell a time, and cannot make two within a second.
        """
        return abs(version_created_at - self.version_created_at) < timedelta(seconds=1)


@dataclass(frozen=True, kw_only=True)
class Step(Matter):
    """A use case on its way to a stage, or to be looked at again where it stands. Its id is its proposal's."""

    noun = "step"
    to: Stage


_Matter = TypeVar("_Matter", bound=Matter)


def put_forward(
    *, use_case: str, use_case_id: UUID, model_version: Urn, version_created_at: datetime, by: Person, at: datetime
) -> Candidacy:
    """A new candidacy. That no other of the pair is outside `ENDED` is the store's to hold."""
    return Candidacy(
        id=ids.new(),
        use_case=use_case,
        use_case_id=use_case_id,
        model_version=model_version,
        version_created_at=version_created_at,
        status=TRANSITIONS[None, Trigger.PUT_FORWARD],
        put_forward_by=by,
        changed_by=by.subject,
        changed_at=at,
    )


def propose(*, id: UUID, use_case: str, use_case_id: UUID, to: Stage, by: Person, at: datetime) -> Step:
    """A new step, as the catalogue told of it."""
    return Step(
        id=id,
        use_case=use_case,
        use_case_id=use_case_id,
        to=to,
        status=TRANSITIONS[None, Trigger.PUT_FORWARD],
        put_forward_by=by,
        changed_by=by.subject,
        changed_at=at,
    )


def transition(
    candidacy: _Matter,
    trigger: Trigger,
    *,
    by: str,
    at: datetime,
    reason: str | None = None,
    expires_at: datetime | None = None,
    environments: tuple[str, ...] | None = None,
) -> _Matter:
    """It after that. Raises ImpossibleTransition. Where a review is open, `reviews.model` calls this."""
    status = TRANSITIONS.get((candidacy.status, trigger))
    if status is None:
        raise ImpossibleTransition(candidacy.id, candidacy.status, trigger)
    return replace(
        candidacy,
        status=status,
        reason=reason,
        changed_by=by,
        changed_at=at,
        expires_at=expires_at,
        overridden_by=by if trigger is Trigger.OVERRIDE else None,
        environments=environments,
        accepted_at=candidacy.accepted_at or (at if trigger in LETS_GO else None),
        sequence=candidacy.sequence + 1,
    )


def hold_on(candidacy: _Matter, content_hash: ContentHash, *, by: str, at: datetime, reason: str) -> _Matter:
    """An acceptance that its policy lets hold for a content changed in what does not matter to it."""
    if candidacy.status is not Status.ACCEPTED:
        raise ImpossibleTransition(candidacy.id, candidacy.status, Trigger.CONTENT_CHANGED)
    return replace(
        candidacy,
        content_hash=content_hash,
        reason=reason,
        changed_by=by,
        changed_at=at,
        sequence=candidacy.sequence + 1,
    )


def allowed_from(status: Status | None) -> tuple[Trigger, ...]:
    """In the order of the table. None stands for a candidacy that is not there yet."""
    return tuple(trigger for known, trigger in TRANSITIONS if known == status)


def strongest(statuses: Iterable[Status]) -> ModelVersionStatus:
    """The status of a model version that its source has, from those of its candidacies."""
    found = {ModelVersionStatus(status) for status in statuses}
    return next((status for status in STRENGTH if status in found), ModelVersionStatus.REGISTERED)
