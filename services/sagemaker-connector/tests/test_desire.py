"""What SageMaker should say of a version, by its candidacies alone."""

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from assent_common.events.governance import CandidacyStatus
from assent_common.events.registry import ApprovalDrift
from assent_sagemaker.aws.update import MAX_DESCRIPTION, approval_description
from assent_sagemaker.desire import Candidacy, desire, put_back_description, use_cases_label
from hypothesis import given
from hypothesis import strategies as st

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def candidacy(
    status: CandidacyStatus, *, number: int = 1, accepted_once: bool = False, reason: str | None = None
) -> Candidacy:
    return Candidacy(
        id=UUID(int=number),
        urn="arn:aws:sagemaker:eu-central-1:123456789012:model-package/churn/1",
        use_case=f"use-case-{number}",
        status=status,
        reason=reason,
        content_hash=None,
        review=None,
        changed_by="ada",
        changed_at=NOON + timedelta(minutes=number),
        accepted_once=accepted_once,
    )


def wanted(candidacies: Iterable[Candidacy]) -> str | None:
    desired = desire(candidacies)
    return desired.approval if desired else None


def test_what_was_never_decided_is_none_of_sagemakers_business() -> None:
    assert wanted([]) is None
    for status in ("candidate", "under_review", "withdrawn", "retired"):
        assert wanted([candidacy(CandidacyStatus(status))]) is None


def test_what_was_accepted_once_and_is_no_more_waits_for_approval_again() -> None:
    for status in ("suspended", "retired", "under_review"):
        assert wanted([candidacy(CandidacyStatus(status), accepted_once=True)]) == "PendingManualApproval"


def test_an_acceptance_outweighs_everything_and_a_rejection_the_rest() -> None:
    accepted = candidacy(CandidacyStatus.ACCEPTED, number=1)
    rejected = candidacy(CandidacyStatus.REJECTED, number=2)
    suspended = candidacy(CandidacyStatus.SUSPENDED, number=3, accepted_once=True)
    assert wanted([suspended, rejected, accepted]) == "Approved"
    assert wanted([suspended, rejected]) == "Rejected"
    assert wanted([suspended]) == "PendingManualApproval"


def test_the_last_to_change_speaks_for_all_that_say_the_same() -> None:
    older, newer = candidacy(CandidacyStatus.ACCEPTED, number=1), candidacy(CandidacyStatus.ACCEPTED, number=2)
    desired = desire([older, newer])
    assert desired is not None
    assert desired.candidacy == newer


def test_a_long_reason_leaves_who_and_what_for_in_place() -> None:
    desired = desire([candidacy(CandidacyStatus.REJECTED, reason="because\n" * 500)])
    assert desired is not None
    description = approval_description(desired.description())
    assert len(description) == MAX_DESCRIPTION
    assert "\n" not in description
    assert description.startswith(f"Assent: rejected for use case use-case-1 by ada (candidacy {UUID(int=1)}): because")


def test_the_description_leads_to_the_review_where_it_is_known_where_reviews_are_read() -> None:
    said = replace(candidacy(CandidacyStatus.ACCEPTED), review=UUID(int=7))
    desired = desire([said])
    assert desired is not None
    link = f"https://assent.example.com/reviews/{UUID(int=7)}"
    assert f"({link})" in desired.description("https://assent.example.com/reviews/{review}")
    assert f"(candidacy {said.id})" in desired.description()
    undecided = desire([replace(said, review=None)])
    assert undecided is not None
    assert "candidacy" in undecided.description("https://assent.example.com/reviews/{review}")


def test_the_labels_name_the_strongest_status_and_the_use_cases_that_have_it() -> None:
    desired = desire(
        [
            candidacy(CandidacyStatus.ACCEPTED, number=2),
            candidacy(CandidacyStatus.ACCEPTED, number=1),
            candidacy(CandidacyStatus.REJECTED, number=3),
        ]
    )
    assert desired is not None
    assert (desired.status, desired.use_cases) == ("accepted", ("use-case-1", "use-case-2"))


_KEYS = st.from_regex(r"\A[a-z0-9]([a-z0-9-]{0,98}[a-z0-9])?\Z")


@given(st.lists(_KEYS, unique=True, max_size=40))
def test_use_cases_fit_into_a_label_whole_and_the_others_are_counted(keys: list[str]) -> None:
    label = use_cases_label(keys)
    assert len(label) <= 256
    # What customer metadata take, in the form of ours.
    assert re.fullmatch(r"[\w .:/=+\-@]*", label)
    words = label.split()
    more = int(words.pop()) if words and words[-1].startswith("+") else 0
    assert words == keys[: len(words)]
    assert len(words) + more == len(keys)
    assert not more or len(" ".join([*words, keys[len(words)]])) > 256 - len(f" +{more}")


def test_a_drift_put_back_says_what_and_who_it_was_and_what_had_been_decided() -> None:
    drift = ApprovalDrift(found="Approved", wanted="Rejected", by="arn:aws:iam::1:user/eve", at=NOON)
    said = put_back_description(drift, "Rejected", "Assent: rejected for use case churn")
    assert said == (
        "Assent: put back to Rejected: arn:aws:iam::1:user/eve had set Approved at 2026-11-24T12:00:00Z, undecided; "
        "Assent: rejected for use case churn"
    )
    nobody = drift.model_copy(update={"by": None})
    assert "somebody had set" in put_back_description(nobody, "PendingManualApproval", None)


_candidacies = st.lists(
    st.builds(candidacy, st.sampled_from(CandidacyStatus), number=st.integers(1, 9), accepted_once=st.booleans()),
    unique_by=lambda each: each.id,
)


@given(_candidacies, st.randoms())
def test_the_order_in_which_candidacies_are_heard_of_does_not_matter(
    candidacies: list[Candidacy], dice: object
) -> None:
    shuffled = list(candidacies)
    dice.shuffle(shuffled)  # type: ignore[attr-defined]
    assert desire(candidacies) == desire(shuffled)


@given(_candidacies)
def test_it_is_approved_exactly_if_something_is_accepted(candidacies: list[Candidacy]) -> None:
    accepted = any(each.status is CandidacyStatus.ACCEPTED for each in candidacies)
    assert (wanted(candidacies) == "Approved") == accepted
