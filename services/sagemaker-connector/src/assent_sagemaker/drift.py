"""Whether SageMaker says of a version's approval what it should: the state machine, pure.

What is right at a moment is one status, the *standing* one. It moves in two ways only: SageMaker is found to say what
the decisions want, or what Assent itself is writing. Whatever else it is found to say is drift, until it says the
standing or a wanted status again.

A decision that SageMaker does not say yet is no drift: nobody did anything there, and writing it back is under way.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from assent_common.events.registry import ApprovalDrift

Approval = Literal["Approved", "Rejected", "PendingManualApproval"]

RESTORES = 3
"""So often a version's drift is put back within `RESTORES_WITHIN`; after that somebody fights, and people must talk."""

RESTORES_WITHIN = timedelta(hours=1)


class Found(NamedTuple):
    """What SageMaker was read to say, and who changed the package last, when."""

    status: Approval
    by: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """What is right of one version, and what is not."""

    status: Approval
    drift: ApprovalDrift | None = None
    #: What the decisions ask for.
    wanted: Approval | None = None
    #: What Assent is writing, or was when it was cut off.
    writing: Approval | None = None


@dataclass(frozen=True, slots=True)
class Restores:
    """How often a version's drift was put back of late."""

    count: int
    last_at: datetime | None

    def exhausted(self, now: datetime) -> bool:
        return self.count >= RESTORES and not self._over(now)

    def once_more(self, now: datetime) -> "Restores":
        return Restores(1 if self._over(now) else self.count + 1, now)

    def _over(self, now: datetime) -> bool:
        return self.last_at is None or now - self.last_at > RESTORES_WITHIN


def at_first(found: Found, *, watched: bool) -> Standing:
    """As a version is seen for the first time. `watched`: it was registered when its source had been read already.

    A company begins with thousands of approvals, and they stand. Who registers as Approved later went round the review.
    """
    return Standing("PendingManualApproval" if watched and found.status == "Approved" else found.status)


def judged(standing: Standing, found: Found) -> Standing:
    """After SageMaker was read to say `found`, or after a decision (with what was found last)."""
    if found.status in (standing.wanted, standing.writing):
        return replace(standing, status=found.status, drift=None)
    if found.status == standing.status:
        return replace(standing, drift=None)
    began = standing.drift if standing.drift and standing.drift.found == found.status else None
    # Who changed something else of the package since did not do this.
    by, at = (began.by, began.at) if began else (found.by, found.at)
    return replace(standing, drift=ApprovalDrift(found=found.status, wanted=standing.wanted, by=by, at=at))


def restored_to(standing: Standing) -> Approval | None:
    """What a drift is put back to. Nothing is approved without a decision, not even again."""
    if standing.drift is None:
        return None
    if standing.wanted is not None:
        return standing.wanted
    return standing.status if standing.status != "Approved" else None
