"""The fence: policies by which nobody but Assent can approve a model in SageMaker. Pure: from roles to policies.

`organisation` is a service control policy for the accounts whose registries are read. `account` denies the same, for
an account without an organisation, attached to whoever is to be fenced off. `role` is what Assent's own role needs to
write decisions back.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Document = Mapping[str, Any]
Statement = dict[str, Any]

DEFAULT_ROLE = "arn:aws:iam::*:role/assent"
SIZE_MAX = 5120
"""Characters that a service control policy may have, white space among them."""

#: What Assent writes into a version's customer metadata.
LABELS = {"Status": "assent:status", "UseCases": "assent:use-cases"}

_ROLE = re.compile(
    r"arn:(aws|aws-cn|aws-us-gov|aws-iso|aws-iso-b|aws-iso-e|aws-iso-f|aws-eusc)"
    r":iam::(\d{12}|\*):role/[\w+=,.@/-]{1,576}"
)
_MODEL = re.compile(r"arn:aws[a-z-]*:sagemaker:[a-z0-9*-]+:(\d{12}|\*):model/[A-Za-z0-9*-]{1,63}")
_STAGE = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
_REWRITES_A_ROLE = (
    "iam:AttachRolePolicy",
    "iam:CreateRole",
    "iam:DeleteRole",
    "iam:DeleteRolePermissionsBoundary",
    "iam:DeleteRolePolicy",
    "iam:DetachRolePolicy",
    "iam:PutRolePermissionsBoundary",
    "iam:PutRolePolicy",
    "iam:UpdateAssumeRolePolicy",
    "iam:UpdateRole",
)


class GuardrailInvalid(ValueError):
    """The fence can't be made of this; the message says why."""


class Policy(StrEnum):
    ORGANISATION = "organisation"
    ACCOUNT = "account"
    ROLE = "role"


@dataclass(frozen=True, slots=True)
class Fence:
    """What is to be fenced, and for whom the gate is. Raises GuardrailInvalid."""

    #: Assent's roles: ARNs, the account of which may be `*`.
    roles: Sequence[str] = (DEFAULT_ROLE,)
    #: Who may change these roles; without any, that is not fenced.
    administrators: Sequence[str] = ()
    #: Stages of the life cycle that only Assent may move a version to.
    stages: Sequence[str] = ()
    #: ARNs of models, with `*`: no other may be put into an endpoint's configuration.
    models: Sequence[str] = ()

    def __post_init__(self) -> None:
        if not self.roles:
            raise GuardrailInvalid("without a role of Assent's nobody could approve: name one")
        for arn in (*self.roles, *self.administrators):
            if "assumed-role" in arn:
                raise GuardrailInvalid(f"{arn} is a session: policies name its role, arn:aws:iam::…:role/…")
            if not _ROLE.fullmatch(arn):
                raise GuardrailInvalid(f"{arn!r} is no role's ARN; only its account may be *")
        for stage in self.stages:
            if not _STAGE.fullmatch(stage):
                raise GuardrailInvalid(f"{stage!r} is no stage of a life cycle: letters, digits and hyphens, up to 63")
        for arn in self.models:
            if not _MODEL.fullmatch(arn):
                raise GuardrailInvalid(f"{arn!r} is no ARN of models: arn:aws:sagemaker:*:*:model/approved-*")
        if len(partitions := {arn.split(":")[1] for arn in (*self.roles, *self.administrators, *self.models)}) > 1:
            raise GuardrailInvalid(f"an organisation has one partition, not {' and '.join(sorted(partitions))}")

    @property
    def partition(self) -> str:
        return self.roles[0].split(":")[1]


def policy(fence: Fence, kind: Policy) -> Document:
    """The document. Raises GuardrailInvalid where AWS would not take it for its size."""
    document = {"Version": "2012-10-17", "Statement": _allowed(fence) if kind is Policy.ROLE else _denied(fence)}
    if (size := len(text(document))) > SIZE_MAX:
        raise GuardrailInvalid(
            f"{size} characters are more than the {SIZE_MAX} that AWS takes: name roles by a pattern"
        )
    return document


def text(document: Document) -> str:
    """As it is written down, and as AWS counts it."""
    return json.dumps(document, indent=2) + "\n"


def _denied(fence: Fence) -> list[Statement]:
    but_assent = {"ArnNotLike": {"aws:PrincipalArn": _one_or_many(fence.roles)}}
    approved = {"StringEquals": {"sagemaker:ModelApprovalStatus": "Approved"}}
    statements = [
        _deny("OnlyAssentApproves", "sagemaker:UpdateModelPackage", {**approved, **but_assent}),
        # Assent registers nothing.
        _deny("NothingIsRegisteredAsApproved", "sagemaker:CreateModelPackage", approved),
    ]
    if fence.stages:
        to_these = {"StringEquals": {"sagemaker:ModelLifeCycle:Stage": _one_or_many(fence.stages)}}
        writing = ["sagemaker:UpdateModelPackage", "sagemaker:CreateModelPackage"]
        statements.append(_deny("OnlyAssentMovesToTheseStages", writing, {**to_these, **but_assent}))
    if fence.models:
        # An endpoint may serve several models: one that is not among these is one too many.
        others = {"ForAnyValue:ArnNotLike": {"sagemaker:ModelArn": _one_or_many(fence.models)}}
        statements.append(_deny("OnlyTheseModelsServe", "sagemaker:CreateEndpointConfig", others))
    if fence.administrators:
        but_they = {"ArnNotLike": {"aws:PrincipalArn": _one_or_many(fence.administrators)}}
        statements.append(
            _deny("NobodyElseChangesAssentsRole", list(_REWRITES_A_ROLE), but_they, _one_or_many(fence.roles))
        )
    return statements


def _allowed(fence: Fence) -> list[Statement]:
    """An update is allowed by what it sets: one that sets none of these is not."""
    decided = {"StringEquals": {"sagemaker:ModelApprovalStatus": ["Approved", "Rejected", "PendingManualApproval"]}}
    labelled = {f"Write{name}": f"sagemaker:CustomerMetadataProperties/{label}" for name, label in LABELS.items()}
    moved = {"MoveLifeCycle": "sagemaker:ModelLifeCycle:Stage"}
    updates = {"WriteDecisions": decided} | {
        # What sets an approval, too, is left to the statement above.
        sid: {"Null": {key: "false", "sagemaker:ModelApprovalStatus": "true"}}
        for sid, key in (labelled | moved).items()
    }
    packages = f"arn:{fence.partition}:sagemaker:*:{fence.roles[0].split(':')[4]}:model-package/*"
    return [
        {
            "Sid": sid,
            "Effect": "Allow",
            "Action": "sagemaker:UpdateModelPackage",
            "Resource": packages,
            "Condition": condition,
        }
        for sid, condition in updates.items()
    ]


def _deny(
    sid: str, action: str | list[str], condition: Mapping[str, Any], resource: str | list[str] = "*"
) -> Statement:
    return {"Sid": sid, "Effect": "Deny", "Action": action, "Resource": resource, "Condition": condition}


def _one_or_many(values: Sequence[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else list(values)
