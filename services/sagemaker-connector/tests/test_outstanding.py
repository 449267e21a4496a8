"""What is still to be written of a decision, by what a package says already."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from assent_common.events.governance import CandidacyStatus
from assent_sagemaker.attempts import WriteBack
from assent_sagemaker.outstanding import Outstanding, outstanding
from assent_sagemaker.sources import Stage

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
LABELS = {"assent:status": "accepted", "assent:use-cases": "churn-care"}
PRODUCTION = Stage(stage="Production", status="Approved")
LIFE_CYCLE = {CandidacyStatus.ACCEPTED: PRODUCTION}


def wanted(**given: Any) -> WriteBack:
    defaults: dict[str, Any] = {
        "key": "urn",
        "id": UUID(int=1),
        "urn": "urn",
        "candidacy": UUID(int=2),
        "use_case": "churn-care",
        "desired": "Approved",
        "description": "Assent: accepted\nby ada",
        "status": "accepted",
        "use_cases": "churn-care",
        "content_hash": None,
        "restores": False,
        "revision": 1,
        "state": "pending",
        "attempts": 0,
        "next_attempt_at": NOON,
        "last_error": None,
        "note": None,
        "requested_at": NOON,
        "finished_at": None,
        "correlation_id": "",
        "traceparent": None,
        "source": "demo",
    }
    return WriteBack(**{**defaults, **given})


def says(**given: Any) -> dict[str, Any]:
    approved = {"ModelApprovalStatus": "Approved", "ApprovalDescription": "Assent: accepted by ada"}
    return {**approved, "CustomerMetadataProperties": {"team": "crm", **LABELS}, **given}


def test_nothing_is_written_that_stands_there() -> None:
    assert outstanding(says(), wanted(), {}) == Outstanding(approval=False, properties={}, stage=None, note=None)


def test_a_fresh_version_lacks_everything() -> None:
    fresh = {"ModelApprovalStatus": "PendingManualApproval"}
    assert outstanding(fresh, wanted(), LIFE_CYCLE) == Outstanding(True, LABELS, PRODUCTION, None)


def test_an_approval_by_hand_lacks_its_reason() -> None:
    assert outstanding(says(ApprovalDescription="looks good"), wanted(), {}).approval


def test_only_the_labels_that_differ_are_written() -> None:
    left = outstanding(says(), wanted(use_cases="churn-care credit"), LIFE_CYCLE)
    assert (left.approval, left.properties, left.stage) == (False, {"assent:use-cases": "churn-care credit"}, None)


def test_a_stage_is_entered_once_and_a_pipeline_that_moves_on_is_not_disturbed() -> None:
    before = says(CustomerMetadataProperties={"assent:status": "suspended"})
    assert outstanding(before, wanted(), LIFE_CYCLE).stage == PRODUCTION
    there = {**before, "ModelLifeCycle": {"Stage": "Production", "StageStatus": "Approved", "StageDescription": "x"}}
    assert outstanding(there, wanted(), LIFE_CYCLE).stage is None
    moved_on = says(ModelLifeCycle={"Stage": "Production", "StageStatus": "Deployed"})
    assert outstanding(moved_on, wanted(use_cases="churn-care credit"), LIFE_CYCLE).stage is None
    assert outstanding(before, wanted(status="suspended"), LIFE_CYCLE).stage is None


def test_a_package_whose_metadata_are_full_is_approved_without_labels_and_that_is_said() -> None:
    full = {f"key-{n}": "x" for n in range(49)}
    left = outstanding({"CustomerMetadataProperties": full}, wanted(), LIFE_CYCLE)
    assert (left.approval, left.properties, left.stage) == (True, {}, PRODUCTION)
    assert left.note is not None
    assert "full (49 of 50)" in left.note
    # Labels that are there already can change.
    replaceable = {**dict(list(full.items())[:48]), "assent:status": "rejected", "assent:use-cases": "churn-care"}
    left = outstanding({"CustomerMetadataProperties": replaceable}, wanted(), {})
    assert (left.properties, left.note) == ({"assent:status": "accepted"}, None)


def test_what_puts_a_drift_back_without_a_decision_has_no_labels() -> None:
    back = wanted(desired="PendingManualApproval", status=None, use_cases=None, candidacy=None, restores=True)
    assert outstanding(says(), back, LIFE_CYCLE) == Outstanding(True, {}, None, None)
