"""The fence that is printed is one that AWS takes, and that holds."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import hcl2
import pytest
import yaml
from assent_local.guardrail import DEFAULT_ROLE, SIZE_MAX, Fence, GuardrailInvalid, Policy, policy, text
from assent_local.guardrail_formats import Format, rendered
from assent_local.simulator.iam import Statement

#: The service authorization reference's condition keys for what the policies are about.
CONDITION_KEYS = {
    "aws:PrincipalArn",
    "sagemaker:ModelApprovalStatus",
    "sagemaker:ModelLifeCycle:Stage",
    "sagemaker:ModelLifeCycle:StageStatus",
    "sagemaker:CustomerMetadataProperties/${MetadataKey}",
    "sagemaker:ModelArn",
}
EVERYTHING = Fence(
    roles=("arn:aws:iam::111122223333:role/assent", "arn:aws:iam::444455556666:role/assent"),
    administrators=("arn:aws:iam::*:role/platform",),
    stages=("Production",),
    models=("arn:aws:sagemaker:*:*:model/approved-*",),
)


@pytest.mark.parametrize("fence", [Fence(), EVERYTHING])
@pytest.mark.parametrize("kind", Policy)
def test_every_policy_is_one_that_aws_takes(fence: Fence, kind: Policy) -> None:
    written = text(policy(fence, kind))
    assert len(written) <= SIZE_MAX
    document = json.loads(written)
    assert document["Version"] == "2012-10-17"
    assert len(document["Statement"]) >= 2
    sids = [statement["Sid"] for statement in document["Statement"]]
    assert len(set(sids)) == len(sids)
    assert all(sid.isalnum() for sid in sids)
    for statement in document["Statement"]:
        assert statement["Effect"] == ("Allow" if kind is Policy.ROLE else "Deny")
        keys = {key for tests in statement["Condition"].values() for key in tests}
        assert {_generic(key) for key in keys} <= CONDITION_KEYS


def test_only_assents_role_comes_through() -> None:
    statements = [Statement.model_validate(each) for each in policy(EVERYTHING, Policy.ORGANISATION)["Statement"]]
    assent, scientist = EVERYTHING.roles[0], "arn:aws:iam::111122223333:role/scientist"

    def denied(action: str, who: str, **context: str) -> list[str]:
        known = {"aws:PrincipalArn": [who]} | {f"sagemaker:{key.replace('__', ':')}": [v] for key, v in context.items()}
        return [each.Sid for each in statements if each.matches(f"sagemaker:{action}", "*", known)]

    assert denied("UpdateModelPackage", scientist, ModelApprovalStatus="Approved") == ["OnlyAssentApproves"]
    assert denied("UpdateModelPackage", assent, ModelApprovalStatus="Approved") == []
    assert denied("UpdateModelPackage", scientist, ModelApprovalStatus="Rejected") == []
    assert denied("UpdateModelPackage", scientist) == []
    for who in (assent, scientist):
        assert denied("CreateModelPackage", who, ModelApprovalStatus="Approved") == ["NothingIsRegisteredAsApproved"]
        assert denied("CreateModelPackage", who, ModelApprovalStatus="PendingManualApproval") == []
    moved = {"ModelLifeCycle__Stage": "Production"}
    assert denied("UpdateModelPackage", scientist, **moved) == ["OnlyAssentMovesToTheseStages"]
    assert denied("UpdateModelPackage", scientist, ModelLifeCycle__Stage="Staging") == []
    assert denied("UpdateModelPackage", assent, **moved) == []
    served = "arn:aws:sagemaker:eu-central-1:111122223333:model/"
    assert denied("CreateEndpointConfig", assent, ModelArn=f"{served}mine") == ["OnlyTheseModelsServe"]
    assert denied("CreateEndpointConfig", scientist, ModelArn=f"{served}approved-1") == []


def test_nobody_makes_himself_assent() -> None:
    (guarded,) = [
        Statement.model_validate(each)
        for each in policy(EVERYTHING, Policy.ORGANISATION)["Statement"]
        if each["Sid"] == "NobodyElseChangesAssentsRole"
    ]
    for action in ("CreateRole", "UpdateAssumeRolePolicy", "PutRolePolicy"):
        for who, may in (("scientist", False), ("platform", True), ("assent", False)):
            context = {"aws:PrincipalArn": [f"arn:aws:iam::111122223333:role/{who}"]}
            assert guarded.matches(f"iam:{action}", EVERYTHING.roles[0], context) is not may
    another = "arn:aws:iam::111122223333:role/scientist"
    assert not guarded.matches("iam:CreateRole", another, {"aws:PrincipalArn": [another]})


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_each_partition_has_its_own_arns(partition: str) -> None:
    fence = Fence(roles=(f"arn:{partition}:iam::111122223333:role/assent",))
    for kind in Policy:
        written = text(policy(fence, kind))
        assert f"arn:{partition}:" in written
        assert written.count("arn:") == written.count(f"arn:{partition}:")
    assert f"arn:{partition}:sagemaker:*:111122223333:model-package/*" in text(policy(fence, Policy.ROLE))


@pytest.mark.parametrize(
    "given",
    [
        {"roles": ()},
        {"roles": ("assent",)},
        {"roles": ("*",)},
        {"roles": ("arn:aws:iam::*:role/*",)},
        {"roles": ("arn:aws:iam::1111:role/assent",)},
        {"roles": ("arn:aws:iam::111122223333:user/ada",)},
        {"roles": ("arn:aws:sts::111122223333:assumed-role/assent/session",)},
        {"roles": (DEFAULT_ROLE, "arn:aws-cn:iam::*:role/assent")},
        {"administrators": ("root",)},
        {"stages": ("Production ready",)},
        {"stages": ("",)},
        {"models": ("approved-*",)},
        {"models": ("*",)},
    ],
)
def test_what_would_fence_nothing_or_everybody_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(GuardrailInvalid):
        Fence(**given)


def test_what_is_too_long_for_aws_is_refused_before_aws_does() -> None:
    many = Fence(roles=tuple(f"arn:aws:iam::{account:012}:role/assent" for account in range(120)))
    with pytest.raises(GuardrailInvalid, match="5120"):
        policy(many, Policy.ORGANISATION)


@pytest.mark.parametrize("fence", [Fence(), EVERYTHING])
@pytest.mark.parametrize("kind", Policy)
def test_cloudformation_finds_no_fault(kind: Policy, fence: Fence, tmp_path: Path) -> None:
    document = policy(fence, kind)
    template = rendered(document, kind, Format.CLOUDFORMATION)
    (tmp_path / "guardrail.yaml").write_text(template)
    command = [str(Path(sys.executable).with_name("cfn-lint")), "--", "guardrail.yaml"]
    checked = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
    (properties,) = [each["Properties"] for each in yaml.safe_load(template)["Resources"].values()]
    assert document in (properties.get("Content"), properties.get("PolicyDocument"))


@pytest.mark.parametrize("kind", Policy)
def test_terraform_reads_it(kind: Policy) -> None:
    document = policy(EVERYTHING, kind)
    written = rendered(document, kind, Format.TERRAFORM)
    assert hcl2.loads(written)["resource"]
    inner = written.partition("<<-JSON\n")[2].partition("\n  JSON")[0]
    assert json.loads(inner) == document


def _generic(key: str) -> str:
    prefix = "sagemaker:CustomerMetadataProperties/"
    return prefix + "${MetadataKey}" if key.startswith(prefix) else key
