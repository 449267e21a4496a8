"""A message on the queue to the objects that it says to look at. Pure: nothing of its payload is believed but names.

Several shapes arrive on one queue: EventBridge's state changes, calls recorded by CloudTrail (other case, no
`resources`), either of them wrapped by SNS, and what others put there.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from assent_common import strict_json

from assent_sagemaker import arns

MAX_DEPTH = 40


class Kind(StrEnum):
    """What can be looked at by itself."""

    PACKAGE = "package"
    GROUP = "group"
    ENDPOINT = "endpoint"
    TRAINING_JOB = "training_job"


class Hint(NamedTuple):
    kind: Kind
    #: As the event names it: an ARN, or the name of a group or an endpoint.
    ref: str
    account: str
    region: str


class Unreadable(ValueError):
    """No event of any sort: kept for somebody to look at."""


Find = Callable[[Mapping[str, Any]], tuple[Kind, Any] | None]


def _package(detail: Mapping[str, Any]) -> tuple[Kind, Any]:
    return Kind.PACKAGE, detail.get("ModelPackageArn")


def _endpoint(detail: Mapping[str, Any]) -> tuple[Kind, Any]:
    return Kind.ENDPOINT, detail.get("EndpointName") or detail.get("EndpointArn")


def _card(detail: Mapping[str, Any]) -> tuple[Kind, Any] | None:
    """A stand-alone card is about a package only where its model's id is one's ARN."""
    model = detail.get("ModelId")
    return (Kind.PACKAGE, model) if isinstance(model, str) and ":model-package/" in model else None


def _training_job(detail: Mapping[str, Any]) -> tuple[Kind, Any]:
    return Kind.TRAINING_JOB, detail.get("TrainingJobArn")


#: EventBridge's detail types that name what is read here. `deploy/aws` sends exactly these.
STATE_CHANGES: Mapping[str, Find] = {
    "SageMaker Model Package State Change": _package,
    "SageMaker Model Card State Change": _card,
    "SageMaker Endpoint State Change": _endpoint,
    "SageMaker Endpoint Deployment State Change": _endpoint,
    "SageMaker Inference Component State Change": _endpoint,
    "SageMaker Training Job State Change": _training_job,
}


def _called_package(given: Mapping[str, Any]) -> tuple[Kind, Any]:
    return Kind.PACKAGE, given.get("modelPackageArn") or given.get("modelPackageName")


def _called_group(given: Mapping[str, Any]) -> tuple[Kind, Any]:
    return Kind.GROUP, given.get("modelPackageGroupName")


def _called_endpoint(given: Mapping[str, Any]) -> tuple[Kind, Any]:
    return Kind.ENDPOINT, given.get("endpointName")


def _tagged(given: Mapping[str, Any]) -> tuple[Kind, Any] | None:
    arn = given.get("resourceArn")
    if isinstance(arn, str):
        for kind, resource in ((Kind.GROUP, ":model-package-group/"), (Kind.PACKAGE, ":model-package/")):
            if resource in arn:
                return kind, arn
    return None


#: Calls that CloudTrail records, of which EventBridge has no state change, or one without tags.
CALLS: Mapping[str, Find] = {
    "UpdateModelPackage": _called_package,
    "DeleteModelPackage": _called_package,
    "CreateModelPackageGroup": _called_group,
    "DeleteModelPackageGroup": _called_group,
    "CreateEndpoint": _called_endpoint,
    "UpdateEndpoint": _called_endpoint,
    "UpdateEndpointWeightsAndCapacities": _called_endpoint,
    "DeleteEndpoint": _called_endpoint,
    "AddTags": _tagged,
    "DeleteTags": _tagged,
}
CLOUDTRAIL = "AWS API Call via CloudTrail"


def read(body: str) -> Hint | None:
    """None for what is of no concern here. Raises Unreadable for what is no event at all."""
    event = _event(body)
    if event.get("source") != "aws.sagemaker":
        return None
    detail = event.get("detail")
    if not isinstance(detail, Mapping):
        raise Unreadable("the event has no detail")
    found = _called(detail) if event.get("detail-type") == CLOUDTRAIL else _changed(event, detail)
    if found is None:
        return None
    kind, ref = found
    if not (isinstance(ref, str) and 0 < len(ref) <= 2048):
        raise Unreadable(f"{event.get('detail-type')} names no {kind}")
    return Hint(kind, ref, *_place(event, ref))


def _event(body: str) -> Mapping[str, Any]:
    try:
        event = strict_json.loads(body.encode("utf-8", "surrogatepass"), max_depth=MAX_DEPTH)
    except ValueError as error:
        raise Unreadable(f"not JSON: {error}") from error
    if not isinstance(event, dict):
        raise Unreadable("not an object")
    if event.get("Type") == "Notification" and isinstance(event.get("Message"), str):
        return _event(event["Message"]) if "TopicArn" in event else event
    return event


def _changed(event: Mapping[str, Any], detail: Mapping[str, Any]) -> tuple[Kind, Any] | None:
    find = STATE_CHANGES.get(str(event.get("detail-type")))
    found = find(detail) if find else None
    if found is None or found[1] is not None:
        return found
    resources = event.get("resources")
    return found[0], resources[0] if isinstance(resources, list) and resources else None


def _called(detail: Mapping[str, Any]) -> tuple[Kind, Any] | None:
    """A call that was refused changed nothing."""
    find = CALLS.get(str(detail.get("eventName")))
    given = detail.get("requestParameters")
    if find is None or detail.get("errorCode") or not isinstance(given, Mapping):
        return None
    return find(given)


def _place(event: Mapping[str, Any], ref: str) -> tuple[str, str]:
    """The account and region. A group that is shared is named by the ARN of its own account."""
    try:
        arn = arns.Arn.parse(ref)
    except arns.NotAnArn:
        return str(event.get("account", "")), str(event.get("region", ""))
    return arn.account, arn.region
