"""Every permission that the connector uses, and what for. The roles in `deploy/aws` are held to this table."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Permission:
    #: `sagemaker:ListModelPackages`
    action: str
    #: The statement of roles.yaml that gives it.
    sid: str
    needed_for: str
    #: What it is given on, without the partition and the account; all resources where it knows none.
    resources: tuple[str, ...] = ("*",)
    #: Whether something is missing without it. What is not needed has a way around, which is slower or says less.
    needed: bool = True

    def statement(self, partition: str, account: str) -> Mapping[str, Any]:
        """What is to be added to the role's policy."""
        prefix = f"arn:{partition}:sagemaker:*:{account}:"
        resources = [each if each == "*" or each.startswith("arn:") else prefix + each for each in self.resources]
        return {
            "Sid": self.sid,
            "Effect": "Allow",
            "Action": self.action,
            "Resource": resources[0] if len(resources) == 1 else resources,
        }


def _listing(operation: str, needed_for: str, *, needed: bool = True) -> Permission:
    return Permission(f"sagemaker:{operation}", "ListAndSearch", needed_for, needed=needed)


def _registry(operation: str, needed_for: str) -> Permission:
    resources = ("model-package/*", "model-package-group/*")
    return Permission(f"sagemaker:{operation}", "ReadTheRegistry", needed_for, resources)


def _serving(operation: str, needed_for: str) -> Permission:
    resources = ("endpoint/*", "endpoint-config/*", "inference-component/*", "model/*", "transform-job/*")
    return Permission(f"sagemaker:{operation}", "SeeWhatServes", needed_for, resources)


def _making(operation: str, needed_for: str) -> Permission:
    resources = ("experiment-trial-component/*", "training-job/*")
    return Permission(f"sagemaker:{operation}", "SeeWhatMadeThem", needed_for, resources, needed=False)


def _queue(operation: str, needed_for: str) -> Permission:
    return Permission(f"sqs:{operation}", "ReceiveHints", needed_for)


ASSUME_ROLE = Permission("sts:AssumeRole", "AssentWithItsExternalId", "everything: the source's role is taken by it")

LIST_GROUPS = _listing("ListModelPackageGroups", "which models there are, and which are gone")
SEARCH = _listing("Search", "reading 100 records a call; without it every version is described alone", needed=False)
LIST_ENDPOINTS = _listing("ListEndpoints", "what serves now")

LIST_COMPONENTS = _listing("ListInferenceComponents", "what serves on endpoints that several models share")
LIST_EXECUTIONS = _listing("ListMonitoringExecutions", "hearing of drift within minutes of its finding", needed=False)
LIST_TRANSFORMS = _listing("ListTransformJobs", "hearing of batch transforms between full readings", needed=False)

_LINEAGE = "the training jobs of versions that name none: SageMaker's lineage may lead to them"
LIST_ARTIFACTS = _listing("ListArtifacts", _LINEAGE, needed=False)
QUERY_LINEAGE = _listing("QueryLineage", _LINEAGE, needed=False)

LIST_PACKAGES = _registry("ListModelPackages", "which versions there are, and which are gone")
DESCRIBE_PACKAGE = _registry("DescribeModelPackage", "what a version is like; checking what Search says of it")
DESCRIBE_GROUP = _registry("DescribeModelPackageGroup", "models that Search has not indexed yet")
LIST_TAGS = _registry("ListTags", "the tags of models, which their versions inherit")

DESCRIBE_ENDPOINT = _serving("DescribeEndpoint", "what serves now, and since when")
DESCRIBE_ENDPOINT_CONFIG = _serving("DescribeEndpointConfig", "which models an endpoint serves")
DESCRIBE_MODEL = _serving("DescribeModel", "which versions these models come from")
DESCRIBE_COMPONENT = _serving("DescribeInferenceComponent", "which models an inference component serves")
DESCRIBE_TRANSFORM = _serving("DescribeTransformJob", "which model a batch transform used")

DESCRIBE_TRAINING = _making("DescribeTrainingJob", "training jobs that Search does not show: image, data, parameters")
DESCRIBE_COMPONENT_OF_JOB = _making("DescribeTrialComponent", "the training job to which lineage leads")

GET_OBJECT = Permission("s3:GetObject", "ReadReports", "metrics: accuracy, precision, bias, drift")
LIST_BUCKET = Permission(
    "s3:ListBucket", "TellMissingFromForbidden", "telling a report that is not there from a forbidden one", needed=False
)
DECRYPT = Permission(
    "kms:Decrypt", "DecryptReportsAndCards", "reports and model cards encrypted with a key of your own"
)

RECEIVE = _queue("ReceiveMessage", "hearing of changes within seconds")
DELETE = _queue("DeleteMessage", "hearing of a change once")

UPDATE_PACKAGE = Permission(
    "sagemaker:UpdateModelPackage", "WriteDecisions", "writing decisions back", ("model-package/*",)
)

SIMULATE = Permission("iam:SimulatePrincipalPolicy", "SeeWhoMayApprove", "telling who else may approve", needed=False)

PERMISSIONS = tuple(each for each in globals().values() if isinstance(each, Permission))
