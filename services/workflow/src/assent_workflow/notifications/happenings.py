"""What an event means to people, seen from the state that was told before it. Pure.

An event carries an entity's whole state, not what changed; most of them say nothing new to anybody.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from assent_common.actors import ASSENT

PREFIX = "assent.governance."


class Kind(StrEnum):
    """What somebody may want to be told."""

    #: Somebody is asked for a decision.
    TASK_ASKED = "task.asked"
    #: A task was given to another person, or taken on.
    TASK_ASSIGNED = "task.assigned"
    #: A task falls due soon.
    TASK_DUE_SOON = "task.due_soon"
    #: A task is past its due time.
    TASK_OVERDUE = "task.overdue"
    #: A task is past its due time, and somebody else is to know.
    TASK_ESCALATED = "task.escalated"
    #: Somebody is to stand in for another.
    DELEGATION_GIVEN = "delegation.given"
    #: And is not any more.
    DELEGATION_REVOKED = "delegation.revoked"
    #: A review was opened.
    REVIEW_REQUESTED = "review.requested"
    #: Somebody said something of a review.
    REVIEW_COMMENTED = "review.commented"
    #: A review ended with a request for changes.
    REVIEW_CHANGES_REQUESTED = "review.changes_requested"
    CANDIDACY_ACCEPTED = "candidacy.accepted"
    CANDIDACY_REJECTED = "candidacy.rejected"
    CANDIDACY_SUSPENDED = "candidacy.suspended"
    #: An acceptance ended with its time.
    CANDIDACY_EXPIRED = "candidacy.expired"
    CANDIDACY_RETIRED = "candidacy.retired"
    #: An acceptance ends soon.
    CANDIDACY_REVIEW_DUE = "candidacy.review_due"
    #: A use case goes to a stage.
    STEP_ACCEPTED = "step.accepted"
    STEP_REJECTED = "step.rejected"
    STEP_CHANGES_REQUESTED = "step.changes_requested"
    #: What was accepted of a use case does not hold any more.
    STEP_SUSPENDED = "step.suspended"
    #: A use case is looked at again soon.
    STEP_REVIEW_DUE = "step.review_due"
    #: Something breaks the rules, or does so again.
    FINDING_OPENED = "finding.opened"
    #: A finding has another owner.
    FINDING_ASSIGNED = "finding.assigned"
    #: A finding is past its due time.
    FINDING_OVERDUE = "finding.overdue"
    FINDING_RESOLVED = "finding.resolved"


OF_STATUS: Mapping[str, Kind] = {
    "accepted": Kind.CANDIDACY_ACCEPTED,
    "rejected": Kind.CANDIDACY_REJECTED,
    "suspended": Kind.CANDIDACY_SUSPENDED,
    "retired": Kind.CANDIDACY_RETIRED,
}
OF_STEP: Mapping[str, Kind] = {
    "accepted": Kind.STEP_ACCEPTED,
    "not_asked": Kind.STEP_ACCEPTED,
    "rejected": Kind.STEP_REJECTED,
    "changes_requested": Kind.STEP_CHANGES_REQUESTED,
    "suspended": Kind.STEP_SUSPENDED,
}
OF_TIMER: Mapping[str, Kind] = {
    "reminder": Kind.TASK_DUE_SOON,
    "due": Kind.TASK_OVERDUE,
    "escalation": Kind.TASK_ESCALATED,
    "periodic_review": Kind.CANDIDACY_REVIEW_DUE,
    "finding_due": Kind.FINDING_OVERDUE,
}
#: What is said in their names besides, of everything.
FACTS = (
    *("use_case", "model_version", "to", "role", "group", "stage", "due_at", "status", "reason", "severity", "summary"),
    *("finding", "delegator", "begins_at", "ends_at"),
)


@dataclass(frozen=True)
class StandIn:
    """May decide what is asked, in place of another."""

    substitute: str
    delegator: str


@dataclass(frozen=True, kw_only=True)
class Happening:
    kind: Kind
    #: The task, review, candidacy or finding.
    about: UUID
    at: datetime
    #: Who did it: nobody is told of what he did himself.
    actor: str | None = None
    candidacy: UUID | None = None
    #: Who is asked: a name, and else everybody of the role.
    assignee: str | None = None
    #: Of all who were asked, or would be: see `Approval.substitutes`.
    stand_ins: Sequence[StandIn] = ()
    #: Who is given a delegation.
    substitute: str | None = None
    #: Who answers for the finding, or for the use case.
    owner: str | None = None
    #: Who put the candidacy forward.
    proposer: str | None = None
    #: See FACTS. As the event has them: hostile.
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_of_finding(self) -> bool:
        return self.kind.startswith("finding.")

    @property
    def role(self) -> str | None:
        return self.facts.get("role")

    @property
    def group(self) -> str | None:
        """Of which only members decide it."""
        return self.facts.get("group")


def of_interest(type_: str) -> bool:
    return type_.startswith(PREFIX)


def state_of(type_: str, told: Mapping[str, Any]) -> str | None:
    """What to remember of an entity to understand its next event; nothing where its events stand alone."""
    match type_.removeprefix(PREFIX):
        case "task.changed.v1":
            return f"{told['status']}|{told.get('assignee') or ''}"
        case "review.requested.v1" | "step.changed.v1":
            return f"{told['status']}|"
        case "candidacy.changed.v1":
            return f"{told['status']}|{told.get('expires_at') or ''}"
        case "finding.changed.v1":
            return f"{told['status']}|{told.get('owner') or ''}"
    return None


def happened(type_: str, told: Mapping[str, Any], before: str | None, *, at: datetime) -> Iterator[Happening]:
    """`before` is the state remembered, None for an entity that was never heard of."""
    status, _, rest = (before or "|").partition("|")
    match type_.removeprefix(PREFIX):
        case "task.changed.v1":
            yield from _of_task(told, status, rest, at)
        case "review.requested.v1":
            yield from _of_review(told, status, at)
        case "candidacy.changed.v1":
            yield from _of_candidacy(told, status, rest, at)
        case "step.changed.v1":
            if told["status"] != status and (step := OF_STEP.get(told["status"])):
                yield _about(told, step, at, candidacy=told["id"], actor=told["changed_by"])
        case "finding.changed.v1":
            yield from _of_finding(told, status, rest, at)
        case "comment.added.v1":
            facts = {**_facts(told), "reason": told["body"]}
            yield _about(told, Kind.REVIEW_COMMENTED, at, about=told["review"], actor=told["author"], facts=facts)
        case "delegation.changed.v1":
            kind = Kind.DELEGATION_REVOKED if told.get("revoked_at") else Kind.DELEGATION_GIVEN
            yield _about(told, kind, at, actor=told["changed_by"], substitute=told["substitute"])
        case "timer.fired.v1":
            if timer := OF_TIMER.get(told["kind"]):
                if timer is Kind.CANDIDACY_REVIEW_DUE and told.get("step"):
                    timer = Kind.STEP_REVIEW_DUE
                about = next(told[name] for name in ("task", "finding", "candidacy", "step") if told.get(name))
                yield _about(told, timer, at, about=about)


def _of_task(told: Mapping[str, Any], status: str, assignee: str, at: datetime) -> Iterator[Happening]:
    if told["status"] != "open":
        return
    named = told.get("assignee")
    if status != "open":
        yield _about(told, Kind.TASK_ASKED, at, assignee=named)
    elif named and named != assignee:
        yield _about(told, Kind.TASK_ASSIGNED, at, assignee=named)


def _of_review(told: Mapping[str, Any], status: str, at: datetime) -> Iterator[Happening]:
    if told["status"] == status:
        return
    if told["status"] == "open":
        yield _about(told, Kind.REVIEW_REQUESTED, at, actor=told["requested_by"])
    elif told["status"] == "changes_requested" and not told.get("step"):
        yield _about(told, Kind.REVIEW_CHANGES_REQUESTED, at)


def _of_candidacy(told: Mapping[str, Any], status: str, expires_at: str, at: datetime) -> Iterator[Happening]:
    if told["status"] == status or told["status"] not in OF_STATUS:
        return
    kind = OF_STATUS[told["status"]]
    # An acceptance that ended when it had to. Whoever ended it later did so by hand.
    by_itself = kind is Kind.CANDIDACY_SUSPENDED and told["changed_by"] == ASSENT
    if by_itself and expires_at and datetime.fromisoformat(expires_at) <= datetime.fromisoformat(told["changed_at"]):
        kind = Kind.CANDIDACY_EXPIRED
    yield _about(told, kind, at, candidacy=told["id"], actor=told["changed_by"])


def _of_finding(told: Mapping[str, Any], status: str, owner: str, at: datetime) -> Iterator[Happening]:
    facts = {**_facts(told), "finding": told["kind"]}
    named = told.get("owner")
    if told["status"] == "open" and status != "open":
        yield _about(told, Kind.FINDING_OPENED, at, owner=named, actor=told.get("changed_by"), facts=facts)
    elif told["status"] == "resolved" and status not in ("resolved", ""):
        yield _about(told, Kind.FINDING_RESOLVED, at, owner=named, actor=told.get("changed_by"), facts=facts)
    elif told["status"] == status and named and named != owner:
        yield _about(told, Kind.FINDING_ASSIGNED, at, owner=named, facts=facts)


def _about(told: Mapping[str, Any], kind: Kind, at: datetime, **members: Any) -> Happening:
    about, candidacy = (
        members.pop("about", told["id"]),
        members.pop("candidacy", told.get("candidacy") or told.get("step")),
    )
    return Happening(
        kind=kind,
        about=UUID(about),
        at=at,
        candidacy=UUID(candidacy) if candidacy else None,
        facts=members.pop("facts", None) or _facts(told),
        **members,
    )


def _facts(told: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(told[name]) for name in FACTS if told.get(name) is not None}
