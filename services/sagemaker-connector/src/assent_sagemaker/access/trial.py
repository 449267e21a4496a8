"""A source's permissions tried out, one after the other, in the source's own name. Nothing is changed by it.

What there is of a kind is looked at; where there is nothing, a name that cannot exist is asked for.
"""

from collections.abc import Awaitable
from dataclasses import dataclass, field, replace
from typing import Any, get_args

from assent_common import ids
from botocore import xform_name

from assent_sagemaker import arns
from assent_sagemaker.access import permissions as may
from assent_sagemaker.access.attempt import Finding, Place, Verdict, attempt
from assent_sagemaker.access.permissions import Permission
from assent_sagemaker.access.samples import Samples
from assent_sagemaker.aws.account import Account, Document
from assent_sagemaker.aws.errors import AwsError
from assent_sagemaker.aws.limiter import Family
from assent_sagemaker.aws.search import Resource
from assent_sagemaker.sources import Source

APPROVALS = ("Approved", "Rejected", "PendingManualApproval")


@dataclass(slots=True)
class Trial:
    """What was found so far."""

    source: Source
    account: Account
    #: In whose name the calls were made.
    principal: str | None = None
    findings: list[Finding] = field(default_factory=list)
    #: What is as it should not be, though nothing is missing.
    warnings: list[str] = field(default_factory=list)
    place: Place = field(init=False)

    def __post_init__(self) -> None:
        account = self.source.role_arn.split(":")[4] if self.source.role_arn else "*"
        self.place = Place(arns.partition_of(self.source.region), account)

    async def run(self, samples: Samples) -> None:
        """Everything that the source needs; nothing but the role where that can't be taken."""
        if not await self._may_be_taken():
            return
        await self._registry()
        await self._what_serves()
        await self._reports(samples)
        await self._queue()
        await self._writing()

    async def _may_be_taken(self) -> bool:
        """Whether the source's role can be assumed, and by those alone who know the external id."""
        if role := self.source.role_arn:
            await self._try(may.ASSUME_ROLE, role, self.account.credentials.frozen())
            if self.findings[-1].verdict is not Verdict.WORKS:
                return False
            if self.source.external_id and await self._opens_to_anybody(role):
                self.warnings.append(f"{role} can be assumed without its external id: its trust policy does not ask")
        try:
            identity = await self.account.call("sts", "get_caller_identity", Family.DESCRIBE)
        except AwsError as error:
            # It needs no permission, so it is the credentials themselves that are no good.
            self.warnings.append(f"AWS does not know these credentials: {error}")
            return role is not None
        self.principal = identity["Arn"]
        self.place = Place(self.place.partition, identity["Account"])
        return True

    async def _opens_to_anybody(self, role: str) -> bool:
        try:
            await self.account.clients.role(role, None, self.source.region).frozen()
        except AwsError:
            return False
        return True

    async def _registry(self) -> None:
        for resource in get_args(Resource):
            await self._sagemaker(may.SEARCH, resource, Resource=resource, MaxResults=1)
        groups = await self._sagemaker(may.LIST_GROUPS, "*", MaxResults=1)
        packages = await self._sagemaker(may.LIST_PACKAGES, "*", ModelPackageType="Both", MaxResults=1)
        group = _first(groups, "ModelPackageGroupSummaryList", "ModelPackageGroupName") or _no_such_name()
        package = _first(packages, "ModelPackageSummaryList", "ModelPackageArn") or self._no_such("model-package")
        await self._sagemaker(may.DESCRIBE_GROUP, group, ModelPackageGroupName=group)
        await self._sagemaker(may.DESCRIBE_PACKAGE, package, ModelPackageName=package, IncludedData="MetadataOnly")
        tagged = _first(groups, "ModelPackageGroupSummaryList", "ModelPackageGroupArn")
        tagged = tagged or self._no_such("model-package-group")
        await self._sagemaker(may.LIST_TAGS, tagged, ResourceArn=tagged)
        job = _no_such_name()
        await self._sagemaker(may.DESCRIBE_TRAINING, job, TrainingJobName=job)
        artifacts = await self._sagemaker(may.LIST_ARTIFACTS, "*", MaxResults=1)
        artifact = _first(artifacts, "ArtifactSummaries", "ArtifactArn") or self._no_such("artifact")
        await self._sagemaker(may.QUERY_LINEAGE, artifact, StartArns=[artifact], MaxDepth=1)
        await self._sagemaker(may.DESCRIBE_COMPONENT_OF_JOB, job, TrialComponentName=job)

    async def _what_serves(self) -> None:
        endpoints = await self._sagemaker(may.LIST_ENDPOINTS, "*", MaxResults=1)
        endpoint = _first(endpoints, "Endpoints", "EndpointName") or _no_such_name()
        described = await self._sagemaker(may.DESCRIBE_ENDPOINT, endpoint, EndpointName=endpoint)
        config = (described or {}).get("EndpointConfigName") or _no_such_name()
        configured = await self._sagemaker(may.DESCRIBE_ENDPOINT_CONFIG, config, EndpointConfigName=config)
        model = _first(configured, "ProductionVariants", "ModelName") or _no_such_name()
        await self._sagemaker(may.DESCRIBE_MODEL, model, ModelName=model)
        components = await self._sagemaker(may.LIST_COMPONENTS, "*", MaxResults=1)
        component = _first(components, "InferenceComponents", "InferenceComponentName") or _no_such_name()
        await self._sagemaker(may.DESCRIBE_COMPONENT, component, InferenceComponentName=component)
        jobs = await self._sagemaker(may.LIST_TRANSFORMS, "*", MaxResults=1)
        job = _first(jobs, "TransformJobSummaries", "TransformJobName") or _no_such_name()
        await self._sagemaker(may.DESCRIBE_TRANSFORM, job, TransformJobName=job)
        await self._sagemaker(may.LIST_EXECUTIONS, "*", MaxResults=1)

    async def _reports(self, samples: Samples) -> None:
        """The first byte of one report of each bucket that versions name, and one that is not there."""
        for bucket, key in samples.reports.items():
            uri = f"s3://{bucket}/{key}"
            anything = f"arn:{self.place.partition}:s3:::{bucket}"
            read = _on(may.GET_OBJECT, f"{anything}/*")
            await self._try(read, uri, self._object(Bucket=bucket, Key=key, Range="bytes=0-0"))
            missing = self._object(Bucket=bucket, Key=f"{_no_such_name()}.json")
            await self._try(_on(may.LIST_BUCKET, anything), f"s3://{bucket}", missing)
        for key_id, package in samples.encrypted.items():
            whole = self.account.call("sagemaker", "describe_model_package", Family.DESCRIBE, ModelPackageName=package)
            await self._try(_on(may.DECRYPT, key_id), package, whole)

    async def _queue(self) -> None:
        if (url := self.source.events_queue_url) is None:
            return

        async def ask(permission: Permission, operation: str, **parameters: Any) -> None:
            answer = self.account.call("sqs", operation, Family.DESCRIBE, QueueUrl=url, **parameters)
            await self._try(permission, url, answer)

        # Seen, but not hidden from who is to receive it.
        await ask(may.RECEIVE, "receive_message", MaxNumberOfMessages=1, VisibilityTimeout=0, WaitTimeSeconds=0)
        await ask(may.DELETE, "delete_message", ReceiptHandle=_no_such_name())

    async def _writing(self) -> None:
        """Each approval status, for a policy may allow them one by one.

        It changes nothing: it names version 999,999,999 of a model whose name is a random number made up here.
        """
        if not self.source.write_back:
            return
        for approval in APPROVALS:
            package = f"{self._no_such('model-package')}/999999999"
            update = self.account.call(
                "sagemaker",
                "update_model_package",
                Family.UPDATE,
                ModelPackageArn=package,
                ModelApprovalStatus=approval,
            )
            await self._try(may.UPDATE_PACKAGE, f"{approval}, of a version that cannot exist", update)

    async def _sagemaker(self, permission: Permission, tried_on: str, **parameters: Any) -> Document | None:
        operation = _method(permission)
        call = self.account.call("sagemaker", operation, Family.DESCRIBE, **parameters)
        answer: Document | None = await self._try(permission, tried_on, call)
        return answer

    async def _object(self, **parameters: str) -> None:
        answer = await self.account.call("s3", "get_object", Family.OBJECTS, **parameters)
        answer["Body"].close()

    async def _try(self, permission: Permission, tried_on: str, call: Awaitable[Any]) -> Any:
        finding, answer = await attempt(permission, tried_on, call, self.place)
        self.findings.append(finding)
        return answer

    def _no_such(self, kind: str) -> str:
        return str(arns.sagemaker(self.source.region, self.place.account, kind, _no_such_name()))


def _first(answer: Document | None, many: str, name: str) -> str | None:
    """The name of the first of many; none where there are none, or they may not be seen."""
    among = (answer or {}).get(many) or [{}]
    found: str | None = among[0].get(name)
    return found


def _on(permission: Permission, resource: str) -> Permission:
    return replace(permission, resources=(resource,))


def _method(permission: Permission) -> str:
    method: str = xform_name(permission.action.partition(":")[2])
    return method


def _no_such_name() -> str:
    return f"assent-test-{ids.new().hex}"
