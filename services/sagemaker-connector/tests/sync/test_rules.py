"""The rules of syncing that need no registry: what is gone, where to look from, whether Search can be trusted."""

from datetime import UTC, datetime, timedelta
from typing import Any

from assent_sagemaker.reports import LONGEST_RETRY, retry_after
from assent_sagemaker.sync.incremental import LOOK_BACK_EVERY, OVERLAP, LookBack
from assent_sagemaker.sync.plan import disagreement
from assent_sagemaker.sync.removals import proven
from hypothesis import given
from hypothesis import strategies as st

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
PACKAGE: dict[str, Any] = {
    "ModelPackageArn": "arn:aws:sagemaker:eu-central-1:123456789012:model-package/churn/1",
    "ModelPackageGroupName": "churn",
    "ModelPackageVersion": 1,
    "ModelPackageStatus": "Completed",
    "CreationTime": NOON,
    "LastModifiedTime": NOON,
}


@given(st.dictionaries(st.text(min_size=1), st.just(1)), st.integers(0, 1000))
def test_one_listing_proves_nothing(missed: dict[str, int], live: int) -> None:
    assert proven(live, missed) == []


def test_two_listings_prove_it_but_not_of_half_of_a_large_source() -> None:
    assert proven(1, {"a": 2}) == ["a"]
    assert proven(20, {str(n): 2 for n in range(20)}) == [str(n) for n in range(20)]
    assert proven(22, {str(n): 2 for n in range(11)}) == [str(n) for n in range(11)]
    assert proven(21, {str(n): 2 for n in range(11)}) == []
    assert proven(21, {**{str(n): 2 for n in range(10)}, "old": 3}) == ["old"]
    assert len(proven(21, {str(n): 3 for n in range(21)})) == 21


def test_polls_look_back_now_and_then_until_things_are_quiet() -> None:
    look_back = LookBack()
    seen = NOON - timedelta(hours=3)
    assert look_back.since(None, None, NOON) is None
    assert look_back.since(seen, NOON, NOON) == seen - OVERLAP
    assert look_back.since(seen, NOON, NOON + timedelta(seconds=2)) == seen
    assert look_back.since(seen, NOON, NOON + LOOK_BACK_EVERY) == seen - OVERLAP
    assert look_back.since(seen, NOON, NOON + OVERLAP * 2) == seen


def test_search_and_describe_agree_whatever_only_one_of_them_tells() -> None:
    by_search = {**PACKAGE, "Tags": [{"Key": "team", "Value": "care"}]}
    by_describe = {**PACKAGE, "ManagedStorageType": "Restricted", "ResponseMetadata": {"HTTPStatusCode": 200}}
    assert disagreement(by_search, by_describe) is None


def test_a_field_that_search_leaves_out_is_a_disagreement() -> None:
    described = {**PACKAGE, "ModelPackageDescription": "who leaves", "Task": "CLASSIFICATION"}
    fields = disagreement(PACKAGE, described)
    assert fields is not None
    assert "description" in fields
    assert "task" in fields


def test_a_version_that_changed_between_the_two_calls_says_nothing_about_search() -> None:
    changed = {**PACKAGE, "ModelApprovalStatus": "Approved", "LastModifiedTime": NOON + timedelta(seconds=1)}
    assert disagreement(PACKAGE, changed) is None


def test_tries_become_rarer_and_never_cease() -> None:
    waits = [retry_after(attempts) for attempts in range(1, 100)]
    assert waits[:4] == [timedelta(seconds=s) for s in (15, 30, 60, 120)]
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_RETRY
