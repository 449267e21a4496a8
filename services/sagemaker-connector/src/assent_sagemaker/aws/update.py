"""UpdateModelPackage: what Assent changes in SageMaker, in two calls that IAM can tell apart.

Two, and not one: the approval is a decision and the labels are a convenience. A policy allows the first by
`sagemaker:ModelApprovalStatus` and the second by `sagemaker:CustomerMetadataProperties/…` and
`sagemaker:ModelLifeCycle:…`, each without the other; and neither a package whose metadata is full nor a guard over
stages can keep a decision from being written.

There is no optimistic lock: read the package before, and again afterwards. Calls with the same token (1 to 36
characters) take effect once. Both raise Conflict, Gone, Denied, Refused or another AwsError.
"""

from collections.abc import Mapping
from typing import Any

from assent_sagemaker.aws.account import Account
from assent_sagemaker.aws.limiter import Family
from assent_sagemaker.drift import Approval
from assent_sagemaker.sources import Stage

MAX_DESCRIPTION = 1024


async def update_approval(
    account: Account, arn: str, *, approval: Approval, description: str, client_token: str
) -> None:
    """Set a versioned package's approval status and its reason, fitted as `approval_description` does."""
    await _update(
        *(account, arn, client_token),
        ModelApprovalStatus=approval,
        ApprovalDescription=approval_description(description),
    )


async def update_labels(
    account: Account, arn: str, *, properties: Mapping[str, str], stage: Stage | None, client_token: str
) -> None:
    """Add these customer metadata to a versioned package (the rest stays), and move it to a stage of its life cycle."""
    labels: dict[str, Any] = {}
    if properties:
        labels["CustomerMetadataProperties"] = dict(properties)
    if stage:
        labels["ModelLifeCycle"] = {"Stage": stage.stage, "StageStatus": stage.status}
    await _update(account, arn, client_token, **labels)


def approval_description(text: str) -> str:
    """As SageMaker takes it: no line breaks, at most 1,024 characters."""
    line = " ".join(text.split())
    return line if len(line) <= MAX_DESCRIPTION else line[: MAX_DESCRIPTION - 1] + "…"


async def _update(account: Account, arn: str, client_token: str, **changes: Any) -> None:
    await account.call(
        "sagemaker", "update_model_package", Family.UPDATE, ModelPackageArn=arn, ClientToken=client_token, **changes
    )
