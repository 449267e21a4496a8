"""The rules of syncing that need no registry: what is too much to be gone, whether Search can be trusted."""

from datetime import UTC, datetime, timedelta
from typing import Any

from assent_sagemaker.reports import LONGEST_RETRY, retry_after
from assent_sagemaker.sync.plan import disagreement
from assent_sagemaker.sync.removals import asks_for_a_person

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
PACKAGE: dict[str, Any] = {
    "ModelPackageArn": "arn:aws:sagemaker:eu-central-1:123456789012:model-package/churn/1",
    "ModelPackageGroupName": "churn",
    "ModelPackageVersion": 1,
    "ModelPackageStatus": "Completed",
    "CreationTime": NOON,
    "LastModifiedTime": NOON,
}


def test_more_than_its_share_of_a_source_asks_for_a_person_but_for_a_few() -> None:
    assert not asks_for_a_person(20, 20, 0.5)
    assert not asks_for_a_person(22, 11, 0.5)
    assert asks_for_a_person(21, 11, 0.5)
    assert asks_for_a_person(1000, 101, 0.1)
    assert not asks_for_a_person(1000, 1000, 1.0)
    assert not asks_for_a_person(1000, 0, 0.1)


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
