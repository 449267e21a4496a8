"""What SageMaker should say of a version, by its candidacies alone; and in which words. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from assent_common.events.governance import CandidacyStatus
from assent_common.events.registry import ApprovalDrift

from assent_sagemaker.drift import Approval

#: The strongest first: a version is what the strongest of its candidacies is.
STRENGTH = (
    CandidacyStatus.ACCEPTED,
    CandidacyStatus.SUSPENDED,
    CandidacyStatus.UNDER_REVIEW,
    CandidacyStatus.CANDIDATE,
    CandidacyStatus.REJECTED,
    CandidacyStatus.RETIRED,
    CandidacyStatus.WITHDRAWN,
)
LABEL_MAX = 256
"""Characters of a value of customer metadata."""


@dataclass(frozen=True, slots=True)
class Candidacy:
    """One candidacy of a version, as far as SageMaker is concerned."""

    id: UUID
    #: Of the version.
    urn: str
    use_case: str
    status: CandidacyStatus
    reason: str | None
    content_hash: str | None
    review: UUID | None
    changed_by: str
    changed_at: datetime
    accepted_once: bool


@dataclass(frozen=True, slots=True)
class Desire:
    """What SageMaker should say of a version, and whose candidacy says so."""

    approval: Approval
    candidacy: Candidacy
    #: The version's own status, and the use cases whose candidacies have it.
    status: CandidacyStatus
    use_cases: tuple[str, ...]

    def description(self, review_url: str | None = None) -> str:
        """Why, in SageMaker's field for it; what identifies comes first, for a long reason is cut.

        `review_url` is where a review is shown, with `{review}` for its id.
        """
        said = self.candidacy
        where = f"candidacy {said.id}"
        if review_url and said.review:
            where = review_url.replace("{review}", str(said.review))
        because = f": {said.reason}" if said.reason else ""
        return f"Assent: {_WORDS[self.approval]} for use case {said.use_case} by {said.changed_by} ({where}){because}"


_WORDS: dict[Approval, str] = {
    "Approved": "accepted",
    "Rejected": "rejected",
    "PendingManualApproval": "no longer accepted",
}


def desire(candidacies: Iterable[Candidacy]) -> Desire | None:
    """What SageMaker should say: one acceptance suffices, else one rejection; what was accepted once is so no more.

    None where nothing has been decided. Of several that say the same, the last to change speaks.
    """
    by_age = sorted(candidacies, key=lambda each: (each.changed_at, each.id), reverse=True)
    status = min((each.status for each in by_age), key=STRENGTH.index, default=CandidacyStatus.WITHDRAWN)
    use_cases = tuple(sorted({each.use_case for each in by_age if each.status is status}))
    for candidacy in by_age:
        if candidacy.status is CandidacyStatus.ACCEPTED:
            return Desire("Approved", candidacy, status, use_cases)
    for candidacy in by_age:
        if candidacy.status is CandidacyStatus.REJECTED:
            return Desire("Rejected", candidacy, status, use_cases)
    for candidacy in by_age:
        if candidacy.accepted_once:
            return Desire("PendingManualApproval", candidacy, status, use_cases)
    return None


def use_cases_label(use_cases: Iterable[str]) -> str:
    """Use cases as one value of customer metadata: apart by spaces, which their keys have none of.

    Of more than fit, as many as do, and how many more there are: `churn credit +12`.
    """
    keys = list(use_cases)
    for shown in range(len(keys), -1, -1):
        words = keys[:shown] + ([f"+{len(keys) - shown}"] if shown < len(keys) else [])
        if len(label := " ".join(words)) <= LABEL_MAX:
            return label
    raise AssertionError("a number fits")


def put_back_description(drift: ApprovalDrift, to: Approval, decided: str | None) -> str:
    """Why a drift was put back; `decided` is the description of the decision, where there is one."""
    by = drift.by or "somebody"
    because = f"; {decided}" if decided else ""
    return f"Assent: put back to {to}: {by} had set {drift.found} at {drift.at:%Y-%m-%dT%H:%M:%SZ}, undecided{because}"
