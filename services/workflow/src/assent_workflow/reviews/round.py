"""A round of judging as it stands: a review, and whom it asks."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, TypeVar
from uuid import UUID

from assent_common.canonical import ContentHash
from assent_common.events.governance import CheckResult, TaskStatus

from assent_workflow.candidacies.model import Matter
from assent_workflow.identities.model import Person

_Entity = TypeVar("_Entity", "Review", "Task")


class Verdict(StrEnum):
    APPROVE = "approve"
    REJECT = "reject"
    REQUEST_CHANGES = "request_changes"


class ReviewStatus(StrEnum):
    OPEN = "open"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    CHANGES_REQUESTED = "changes_requested"
    #: The candidacy left review for another reason than a decision.
    CANCELLED = "cancelled"
    #: Accepted past the policy, in an emergency.
    OVERRIDDEN = "overridden"


class Approver(Protocol):
    """Somebody whose token was verified."""

    @property
    def issuer(self) -> str: ...
    @property
    def subject(self) -> str: ...
    @property
    def roles(self) -> Collection[str]: ...
    @property
    def groups(self) -> Collection[str]: ...


@dataclass(frozen=True, kw_only=True)
class Task:
    """One approval asked of one role."""

    id: UUID
    review: UUID
    stage: str
    role: str
    #: Of several people of the role who are asked, the how-manieth.
    seat: int = 1
    status: TaskStatus = TaskStatus.OPEN
    opened_at: datetime
    due_at: datetime
    decided_by: Person | None = None
    decided_at: datetime | None = None
    #: For whom, where it was decided by one who stands in.
    on_behalf_of: Person | None = None
    comment: str | None = None
    #: Who has taken it on, or was given it: a subject. Any other who may decide it still may.
    assignee: str | None = None
    #: Of which only members decide it.
    group: str | None = None
    #: The task of an earlier round whose approval counts on here.
    kept_from: UUID | None = None
    #: Why the approval last given here does not count any more.
    dismissed: str | None = None
    sequence: int = 1


@dataclass(frozen=True, kw_only=True)
class Review:
    """Pinned to a policy version and to the content judged."""

    id: UUID
    candidacy: UUID
    policy: str
    content_hash: ContentHash
    status: ReviewStatus = ReviewStatus.OPEN
    #: As they came out last, on the content above.
    checks: tuple[CheckResult, ...]
    requested_by: str
    requested_at: datetime
    ended_at: datetime | None = None
    sequence: int = 1

    @property
    def blocked_by(self) -> tuple[str, ...]:
        """Why it is not accepted, however many approve."""
        return tuple(f"{check.name}: {check.reason}" for check in self.checks if not check.passed)


@dataclass(frozen=True)
class Change:
    """What a step changed or made; what it left as it was is not there."""

    candidacy: Matter | None
    review: Review | None
    tasks: tuple[Task, ...]


@dataclass(frozen=True)
class Round:
    """A candidacy under review, its review and all of the review's tasks."""

    #: Or a use case's step.
    candidacy: Matter
    review: Review
    tasks: tuple[Task, ...]

    def task(self, id: UUID) -> Task:
        return next(task for task in self.tasks if task.id == id)

    @property
    def live(self) -> tuple[Task, ...]:
        return tuple(task for task in self.tasks if task.status is not TaskStatus.CANCELLED)

    def live_in(self, stage: str) -> dict[tuple[str, int], Task]:
        """By role and seat."""
        return {(task.role, task.seat): task for task in self.live if task.stage == stage}

    @property
    def waiting_for(self) -> tuple[str, ...]:
        """The roles that are asked now and have not answered."""
        return tuple(task.role for task in self.tasks if task.status is TaskStatus.OPEN)

    def since(self, before: "Round") -> Change:
        return Change(
            candidacy=self.candidacy if self.candidacy != before.candidacy else None,
            review=self.review if self.review != before.review else None,
            tasks=tuple(task for task in self.tasks if task not in before.tasks),
        )


def changed(entity: _Entity, **changes: Any) -> _Entity:
    return replace(entity, sequence=entity.sequence + 1, **changes)


def with_tasks(round_: Round, *tasks: Task) -> Round:
    by_id = {task.id: task for task in tasks}
    return replace(round_, tasks=tuple(by_id.get(task.id, task) for task in round_.tasks))
