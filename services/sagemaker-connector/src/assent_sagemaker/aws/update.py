"""UpdateModelPackage: the one thing that Assent changes in SageMaker."""

from typing import Any, Literal

from assent_sagemaker.aws.account import Account
from assent_sagemaker.aws.limiter import Family

Approval = Literal["Approved", "Rejected", "PendingManualApproval"]

MAX_DESCRIPTION = 1024


async def update_approval(
    account: Account,
    arn: str,
    *,
    approval: Approval,
    description: str,
    client_token: str,
) -> None:
    """Set a versioned package's approval status and its reason.

    There is no optimistic lock: read the package before, and again afterwards. Calls with the same token (1 to 36
    characters) take effect once. Raises Conflict, Gone, Denied or another AwsError. A description that SageMaker would
    not take is fitted: no line breaks, at most 1,024 characters.
    """
    parameters: dict[str, Any] = {
        "ModelPackageArn": arn,
        "ModelApprovalStatus": approval,
        "ApprovalDescription": approval_description(description),
        "ClientToken": client_token,
    }
    await account.call("sagemaker", "update_model_package", Family.UPDATE, **parameters)


def approval_description(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MAX_DESCRIPTION else line[: MAX_DESCRIPTION - 1] + "…"
