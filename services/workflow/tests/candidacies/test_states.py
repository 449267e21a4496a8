"""A candidacy goes where the table says and nowhere else."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from assent_common import ids
from assent_common.canonical import ContentHash
from assent_common.events.catalog import ModelVersionStatus
from assent_common.ids import Urn
from assent_workflow.candidacies.model import (
    BY_HAND,
    ENDED,
    TRANSITIONS,
    Candidacy,
    ImpossibleTransition,
    Person,
    Status,
    Trigger,
    allowed_from,
    put_forward,
    strongest,
    transition,
)

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
ADA = Person("https://id.example", "ada")


def a_candidacy(status: Status = Status.CANDIDATE) -> Candidacy:
    fresh = put_forward(
        use_case="retention",
        use_case_id=ids.new(),
        model_version=Urn("arn:aws:sagemaker:eu-central-1:111122223333:model-package/churn/7"),
        version_created_at=NOW - timedelta(days=1),
        by=ADA,
        at=NOW,
    )
    return replace(
        fresh,
        status=status,
        review=ids.new(),
        policy="default@1",
        content_hash=ContentHash("sha256:a"),
        expires_at=NOW if status is Status.ACCEPTED else None,
    )


#: DESIGN §4, row by row, and what becomes of each state when the source no longer has the version, or nobody wants what
#: it is for any more; and of a use case's step, which no policy may ask for, or a later one stands in place of.
WAYS = {
    ("candidate", "not_asked"): "retired",
    ("candidate", "superseded"): "withdrawn",
    ("under_review", "superseded"): "withdrawn",
    ("accepted", "superseded"): "retired",
    ("suspended", "superseded"): "retired",
    ("rejected", "superseded"): "retired",
    ("candidate", "submit"): "under_review",
    ("candidate", "withdraw"): "withdrawn",
    ("candidate", "missing_from_source"): "withdrawn",
    ("candidate", "use_case_given_up"): "withdrawn",
    ("under_review", "all_approved"): "accepted",
    ("under_review", "override"): "accepted",
    ("under_review", "task_rejected"): "rejected",
    ("under_review", "changes_requested"): "candidate",
    ("under_review", "content_changed"): "under_review",
    ("under_review", "withdraw"): "withdrawn",
    ("under_review", "missing_from_source"): "withdrawn",
    ("under_review", "use_case_given_up"): "withdrawn",
    ("accepted", "content_changed"): "suspended",
    ("accepted", "expired"): "suspended",
    ("accepted", "suspend"): "suspended",
    ("accepted", "retire"): "retired",
    ("accepted", "missing_from_source"): "retired",
    ("accepted", "use_case_given_up"): "retired",
    ("suspended", "submit"): "under_review",
    ("suspended", "retire"): "retired",
    ("suspended", "missing_from_source"): "retired",
    ("suspended", "use_case_given_up"): "retired",
    ("rejected", "submit"): "under_review",
    ("rejected", "retire"): "retired",
    ("rejected", "missing_from_source"): "retired",
    ("rejected", "use_case_given_up"): "retired",
}


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("trigger", Trigger)
def test_every_trigger_in_every_state_does_what_the_design_says(status: Status, trigger: Trigger) -> None:
    candidacy = a_candidacy(status)
    expected = WAYS.get((status.value, trigger.value))
    assert candidacy.allows(trigger) is (trigger in allowed_from(status)) is (expected is not None)
    expires_at = NOW + timedelta(days=365) if expected == "accepted" else None
    if expected is None:
        with pytest.raises(ImpossibleTransition) as refused:
            transition(candidacy, trigger, by="ada", at=NOW, expires_at=expires_at)
        assert status in str(refused.value)
        assert refused.value.allowed == tuple(way for way in allowed_from(status) if way in BY_HAND)
        assert all(way in str(refused.value) for way in refused.value.allowed)
    else:
        after = transition(candidacy, trigger, by="ada", at=NOW, expires_at=expires_at)
        assert after.status == expected
        assert after.sequence == candidacy.sequence + 1


def test_the_table_has_a_beginning_and_two_ends() -> None:
    assert len(TRANSITIONS) == len(WAYS) + 1
    assert allowed_from(None) == (Trigger.PUT_FORWARD,)
    assert {Status.RETIRED, Status.WITHDRAWN} == ENDED


def test_what_is_accepted_rests_on_a_review_and_ends_some_day() -> None:
    under_review = a_candidacy(Status.UNDER_REVIEW)
    with pytest.raises(ValueError, match="has an end"):
        transition(under_review, Trigger.ALL_APPROVED, by="ada", at=NOW)
    with pytest.raises(ValueError, match="rests on"):
        replace(under_review, review=None)


def test_an_acceptance_that_is_suspended_has_no_end_any_more() -> None:
    assert transition(a_candidacy(Status.ACCEPTED), Trigger.SUSPEND, by="rita", at=NOW).expires_at is None


def test_the_strongest_candidacy_gives_the_version_its_status() -> None:
    order = ["accepted", "suspended", "under_review", "candidate", "rejected", "retired", "withdrawn"]
    assert strongest([]) is ModelVersionStatus.REGISTERED
    pairs = list(permutations(order, 2))
    assert len(pairs) == 42
    for one, other in pairs:
        assert strongest([Status(one), Status(other)]) == min(one, other, key=order.index)


def test_a_version_made_again_under_its_urn_is_another_one() -> None:
    candidacy = a_candidacy(Status.ACCEPTED)
    assert candidacy.is_of(candidacy.version_created_at + timedelta(milliseconds=400))
    assert not candidacy.is_of(candidacy.version_created_at + timedelta(minutes=1))
