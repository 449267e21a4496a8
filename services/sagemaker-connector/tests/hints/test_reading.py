"""What each shape of message on the queue says to look at."""

import json
from typing import Any

import pytest
from assent_sagemaker.hints.reading import Hint, Kind, Unreadable, read
from hypothesis import given
from hypothesis import strategies as st

ACCOUNT, REGION = "123456789012", "eu-central-1"
PREFIX = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:"
PACKAGE = f"{PREFIX}model-package/churn/3"
JOB = f"{PREFIX}training-job/churn"
GROUP = f"{PREFIX}model-package-group/churn"
ENDPOINT = f"{PREFIX}endpoint/live"


def state_change(what: str, **event: Any) -> dict[str, Any]:
    return {
        "version": "0",
        "detail-type": f"SageMaker {what} State Change",
        "source": "aws.sagemaker",
        "account": ACCOUNT,
        "region": REGION,
        "resources": [],
        "detail": {},
        **event,
    }


def call(name: str, given: object, **detail: Any) -> dict[str, Any]:
    return {
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.sagemaker",
        "account": ACCOUNT,
        "region": REGION,
        "detail": {
            "eventSource": "sagemaker.amazonaws.com",
            "eventName": name,
            "requestParameters": given,
            **detail,
        },
    }


def hint(kind: Kind, ref: str, account: str = ACCOUNT) -> Hint:
    return Hint(kind, ref, account, REGION)


def by_sns(event: dict[str, Any]) -> dict[str, Any]:
    return {"Type": "Notification", "TopicArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:told", "Message": json.dumps(event)}


MESSAGES: list[tuple[str, dict[str, Any], Hint | None]] = [
    ("a version", state_change("Model Package", detail={"ModelPackageArn": PACKAGE}), hint(Kind.PACKAGE, PACKAGE)),
    ("by its resource alone", state_change("Model Package", resources=[PACKAGE]), hint(Kind.PACKAGE, PACKAGE)),
    (
        "of a group that another account shares",
        state_change("Model Package", detail={"ModelPackageArn": PACKAGE.replace(ACCOUNT, "210987654321")}),
        hint(Kind.PACKAGE, PACKAGE.replace(ACCOUNT, "210987654321"), "210987654321"),
    ),
    ("an endpoint", state_change("Endpoint", detail={"EndpointName": "live"}), hint(Kind.ENDPOINT, "live")),
    ("by its ARN", state_change("Endpoint", detail={"EndpointArn": ENDPOINT}), hint(Kind.ENDPOINT, ENDPOINT)),
    (
        "a traffic shift",
        state_change("Endpoint Deployment", detail={"EndpointName": "live"}),
        hint(Kind.ENDPOINT, "live"),
    ),
    (
        "an inference component",
        state_change("Inference Component", detail={"InferenceComponentName": "base", "EndpointName": "live"}),
        hint(Kind.ENDPOINT, "live"),
    ),
    ("a card of a version", state_change("Model Card", detail={"ModelId": PACKAGE}), hint(Kind.PACKAGE, PACKAGE)),
    ("a card of something else", state_change("Model Card", detail={"ModelId": "churn"}), None),
    ("a training job", state_change("Training Job", detail={"TrainingJobArn": JOB}), hint(Kind.TRAINING_JOB, JOB)),
    ("a pipeline", state_change("Model Building Pipeline Execution Status Change", detail={}), None),
    ("no event of SageMaker", {**state_change("Model Package"), "source": "aws.ecr"}, None),
    ("through SNS", by_sns(state_change("Model Package", resources=[PACKAGE])), hint(Kind.PACKAGE, PACKAGE)),
    ("a group made", call("CreateModelPackageGroup", {"modelPackageGroupName": "churn"}), hint(Kind.GROUP, "churn")),
    ("a group gone", call("DeleteModelPackageGroup", {"modelPackageGroupName": GROUP}), hint(Kind.GROUP, GROUP)),
    ("a version gone", call("DeleteModelPackage", {"modelPackageName": PACKAGE}), hint(Kind.PACKAGE, PACKAGE)),
    ("a version updated", call("UpdateModelPackage", {"modelPackageArn": PACKAGE}), hint(Kind.PACKAGE, PACKAGE)),
    ("tags of a group", call("AddTags", {"resourceArn": GROUP, "tags": []}), hint(Kind.GROUP, GROUP)),
    ("tags of a version", call("DeleteTags", {"resourceArn": PACKAGE}), hint(Kind.PACKAGE, PACKAGE)),
    ("tags of a notebook", call("AddTags", {"resourceArn": f"{PREFIX}notebook-instance/mine"}), None),
    ("a call refused", call("DeleteModelPackage", {"modelPackageName": PACKAGE}, errorCode="AccessDenied"), None),
    ("a call that reads", call("DescribeModelPackage", {"modelPackageName": PACKAGE}), None),
    ("a call without parameters", call("UpdateModelPackage", None), None),
]


@pytest.mark.parametrize(("event", "expected"), [m[1:] for m in MESSAGES], ids=[m[0] for m in MESSAGES])
def test_a_message_says_where_to_look(event: dict[str, Any], expected: Hint | None) -> None:
    assert read(json.dumps(event)) == expected


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[]", "not an object"),
        ('"text"', "not an object"),
        ("[" * 100_000, "not JSON"),
        (json.dumps({**state_change("Endpoint"), "detail": None}), "no detail"),
        (json.dumps(state_change("Model Package")), "names no package"),
        (json.dumps(state_change("Endpoint", detail={"EndpointName": {"$ne": 1}})), "names no endpoint"),
        (json.dumps(state_change("Endpoint", detail={"EndpointName": "x" * 2049})), "names no endpoint"),
        (json.dumps(by_sns({}) | {"Message": "hello"}), "not JSON"),
    ],
)
def test_a_message_that_is_no_event_is_unreadable(body: str, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        read(body)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)


@given(
    detail_type=st.sampled_from(
        ["SageMaker Model Package State Change", "SageMaker Endpoint State Change", "AWS API Call via CloudTrail"]
    ),
    detail=anything | st.fixed_dictionaries({"eventName": st.just("AddTags"), "requestParameters": anything}),
    resources=anything,
)
def test_whatever_comes_is_a_hint_or_nothing_or_unreadable(detail_type: str, detail: Any, resources: Any) -> None:
    event = state_change("", **{"detail-type": detail_type, "detail": detail, "resources": resources})
    try:
        found = read(json.dumps(event))
    except Unreadable:
        return
    assert found is None or (found.ref and isinstance(found.ref, str))
