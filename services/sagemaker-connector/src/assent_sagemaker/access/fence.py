"""Whether only Assent can set Approved, as far as that can be told from within an account."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from assent_sagemaker import arns
from assent_sagemaker.access.samples import Approved, Samples
from assent_sagemaker.aws.account import Account
from assent_sagemaker.aws.errors import AwsError, Denied
from assent_sagemaker.aws.limiter import Family

RECENT = timedelta(days=30)
"""Who approved by hand so recently did so because nothing held him back."""

SIMULATED = 10


_SESSION = re.compile(r"arn:(?P<partition>[a-z-]+):sts::(?P<account>\d{12}):assumed-role/(?P<role>[^/]+)/.*")


class Stands(StrEnum):
    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Fence:
    stands: Stands
    #: What was looked at, and what it says; also what it does not say.
    checked: Sequence[str]


async def fence(account: Account, principal: str, samples: Samples, now: datetime) -> Fence:
    """`principal` is who writes back: what others do is looked at."""
    assent = role_of(principal)
    others = [each for each in samples.approvals if role_of(each.by) != assent]
    recent = [each for each in others if now - each.at < RECENT]
    checked = [_said_of(others, samples.versions)]
    denied, words = await _simulated(account, [who for who in map(role_of, samples.people) if who != assent])
    checked += words
    if recent:
        return Fence(Stands.NO, checked)
    return Fence(Stands.YES if denied else Stands.UNKNOWN, checked)


def role_of(principal: str) -> str:
    """The role behind a session, which is what policies name; anybody else as he is."""
    session = _SESSION.fullmatch(principal)
    return f"arn:{session['partition']}:iam::{session['account']}:role/{session['role']}" if session else principal


def _said_of(others: Sequence[Approved], versions: int) -> str:
    if not others:
        return f"of the {versions} versions that changed last, none that says Approved was changed last by another"
    newest = others[0]
    return (
        f"of the {versions} versions that changed last, {len(others)} say Approved and were changed last by another, "
        f"the newest at {newest.at:%Y-%m-%d %H:%M} UTC by {newest.by}: {newest.version}"
    )


async def _simulated(account: Account, people: Sequence[str]) -> tuple[bool, list[str]]:
    """Whether all of those who register and change versions are kept from approving by IAM's own simulation."""
    roles = sorted({who for who in people if ":iam::" in who})[:SIMULATED]
    if not roles:
        return False, ["nobody else is known whose right to approve could be simulated"]
    allowed: list[str] = []
    words: list[str] = []
    for who in roles:
        try:
            decision = await _decision(account, who)
        except Denied:
            return False, [*words, "who else may approve was not simulated: that takes iam:SimulatePrincipalPolicy"]
        except AwsError as error:
            return False, [*words, f"who else may approve could not be simulated: {error}"]
        if decision == "allowed":
            allowed.append(who)
    if not allowed:
        return True, [f"IAM's simulation denies approving to each of {len(roles)} who register or change versions"]
    return False, [
        f"by IAM's simulation {', '.join(allowed)} may approve, unless the organisation's policy forbids it: "
        "the simulation leaves out organisation policies with conditions, and the guardrail has some"
    ]


async def _decision(account: Account, who: str) -> str:
    package = arns.sagemaker(account.region, who.split(":")[4], "model-package", "assent-test/1")
    answer = await account.call(
        "iam",
        "simulate_principal_policy",
        Family.DESCRIBE,
        PolicySourceArn=who,
        ActionNames=["sagemaker:UpdateModelPackage"],
        ResourceArns=[str(package)],
        ContextEntries=[
            {
                "ContextKeyName": "sagemaker:ModelApprovalStatus",
                "ContextKeyValues": ["Approved"],
                "ContextKeyType": "string",
            }
        ],
    )
    (result,) = answer["EvaluationResults"]
    organisation = result.get("OrganizationsDecisionDetail", {}).get("AllowedByOrganizations", True)
    return str(result["EvalDecision"]) if organisation else "explicitDeny"
