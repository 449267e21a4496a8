"""What is asked of a company's AWS account is exactly what the connector needs, in every form that it is written in."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import assent_sagemaker.aws
import hcl2
import pytest
from assent_local import guardrail
from assent_local.guardrail import Fence, Policy
from assent_sagemaker.access.permissions import PERMISSIONS
from assent_sagemaker.hints import reading
from botocore import xform_name
from botocore.session import Session
from cfnlint.decode import cfn_yaml  # type: ignore[import-untyped]

AWS = Path(__file__).parents[1]
REPOSITORY = AWS.parents[1]
TEMPLATES = ("roles.yaml", "events.yaml", "events-member.yaml")
WRITES = "UpdateModelPackage"

#: What the documentation shows the policy with.
EXAMPLE = {
    "AWS::AccountId": "111122223333",
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
    "ReportObjectArns": ["arn:aws:s3:::company-models/*"],
    "ReportBucketArns": ["arn:aws:s3:::company-models"],
}
GIVEN = {
    "HasReportObjects": True,
    "HasReportBuckets": True,
    "HasKeys": False,
    "HasQueue": False,
    "ChecksTheFence": False,
    "FansIn": True,
}


def test_cloudformation_finds_no_fault() -> None:
    checked = subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), *TEMPLATES], cwd=AWS, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout


def test_the_role_may_call_what_the_connector_calls_and_nothing_else() -> None:
    operations = _operations("sagemaker")
    called = _operations_called(operations)
    assert len(called) >= 11
    reads = _sagemaker_actions(_policy("ReadPolicy"))
    assert reads == called - {WRITES}
    assert reads <= operations


def test_what_is_tried_in_a_test_of_access_is_what_the_role_gives() -> None:
    given = {action: sid for sid, (actions, _) in _policies_by_sid().items() for action in actions}
    # Labels are written by the same action as decisions.
    given[f"sagemaker:{WRITES}"] = "WriteDecisions"
    assert {each.action: each.sid for each in PERMISSIONS} == given
    for each in PERMISSIONS:
        if each.sid in {"ListAndSearch", "ReadTheRegistry", "SeeWhatServes"}:
            statement = next(s for s in _policy("ReadPolicy")["Statement"] if s["Sid"] == each.sid)
            assert each.statement("aws", str(EXAMPLE["AWS::AccountId"]))["Resource"] == statement["Resource"], (
                each.action
            )


def test_writing_is_a_policy_of_its_own_and_the_one_that_is_printed() -> None:
    assert _template("roles.yaml")["Resources"]["WriteBackPolicy"]["Condition"] == "WritesBack"
    assert _template("roles.yaml")["Parameters"]["AllowWriteBack"]["Default"] == "false"
    role = f"arn:aws:iam::{EXAMPLE['AWS::AccountId']}:role/assent"
    assert _policy("WriteBackPolicy") == guardrail.policy(Fence(roles=(role,)), Policy.ROLE)
    statement = _policy("WriteBackPolicy")["Statement"][0]
    shape = Session().get_service_model("sagemaker").operation_model(WRITES).input_shape
    known = shape.members["ModelApprovalStatus"].enum
    assert sorted(statement["Condition"]["StringEquals"]["sagemaker:ModelApprovalStatus"]) == sorted(known)


@pytest.mark.parametrize("policy", ["ReadPolicy", "WriteBackPolicy"])
def test_nothing_is_allowed_by_a_wildcard(policy: str) -> None:
    actions = [action for statement in _policy(policy)["Statement"] for action in _list(statement["Action"])]
    assert actions
    assert [action for action in actions if "*" in action] == []
    for action in actions:
        service, _, operation = action.partition(":")
        if service in {"sagemaker", "sqs", "kms", "iam"}:
            assert operation in _operations(service)


def test_only_who_knows_the_external_id_may_take_the_role() -> None:
    (statement,) = _template("roles.yaml")["Resources"]["Role"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Action"] == "sts:AssumeRole"
    assert statement["Condition"] == {"StringEquals": {"sts:ExternalId": {"Ref": "ExternalId"}}}
    assert "Default" not in _template("roles.yaml")["Parameters"]["ExternalId"]


@pytest.mark.parametrize("document", ["README.md", "docs/how-to/connect-aws.md"])
def test_the_documentation_shows_the_policy_of_the_template(document: str) -> None:
    blocks = re.findall(r"```json\n(.*?)```", (REPOSITORY / document).read_text(), re.DOTALL)
    shown = [made for block in blocks if "Statement" in (made := json.loads(block))]
    assert shown == [_policy("ReadPolicy")]


def test_terraform_allows_what_cloudformation_allows() -> None:
    documents = _documents(_terraform("roles"))
    template = _policies_by_sid()
    assert set(documents) == set(template)
    assert len(documents) == 14
    for sid, (actions, conditions) in documents.items():
        assert (sid, actions, conditions) == (sid, *template[sid])


@pytest.mark.parametrize(("module", "template"), [("events", "events.yaml"), ("events-member", "events-member.yaml")])
def test_terraform_listens_for_what_cloudformation_listens_for(module: str, template: str) -> None:
    said = _unquoted(_terraform(module)["locals"][0])
    resources = _template(template)["Resources"]
    assert said["state_changes"] == resources["StateChanges"]["Properties"]["EventPattern"]
    assert said["calls"] == resources["Calls"]["Properties"]["EventPattern"]


def test_members_send_what_the_queue_is_for() -> None:
    here, there = (_template(name)["Resources"] for name in ("events.yaml", "events-member.yaml"))
    for rule in ("StateChanges", "Calls"):
        assert here[rule]["Properties"]["EventPattern"] == there[rule]["Properties"]["EventPattern"]


def test_the_queue_is_sent_what_the_connector_reads_and_nothing_else() -> None:
    resources = _template("events.yaml")["Resources"]
    assert set(resources["StateChanges"]["Properties"]["EventPattern"]["detail-type"]) == set(reading.STATE_CHANGES)
    calls = resources["Calls"]["Properties"]["EventPattern"]
    assert calls["detail-type"] == [reading.CLOUDTRAIL]
    assert set(calls["detail"]["eventName"]) == set(reading.CALLS)
    assert set(reading.CALLS) <= _operations("sagemaker")


def test_every_rule_leads_to_the_queue_and_has_somewhere_to_put_what_it_cannot_deliver() -> None:
    resources = _template("events.yaml")["Resources"]
    rules = [each["Properties"] for each in resources.values() if each["Type"] == "AWS::Events::Rule"]
    assert len(rules) == 3
    for rule in rules:
        (target,) = rule["Targets"]
        assert target["Arn"] == {"Fn::GetAtt": ["Queue", "Arn"]}
        assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": ["DeadLetters", "Arn"]}}
    queues = [each["Properties"] for each in resources.values() if each["Type"] == "AWS::SQS::Queue"]
    assert [queue["SqsManagedSseEnabled"] for queue in queues] == [True, True]


def test_the_guardrail_is_what_is_printed_for_the_role_of_the_template() -> None:
    assert (AWS / "guardrail.json").read_text() == guardrail.text(guardrail.policy(Fence(), Policy.ORGANISATION))
    name = _template("roles.yaml")["Parameters"]["RoleName"]["Default"]
    assert Fence().roles == (f"arn:aws:iam::*:role/{name}",)


@cache
def _operations(service: str) -> set[str]:
    return set(Session().get_service_model(service).operation_names)


def _operations_called(known: set[str]) -> set[str]:
    """Those whose method names the connector's AWS package speaks of."""
    methods = {xform_name(name): name for name in known}
    files = list(Path(next(iter(assent_sagemaker.aws.__path__))).glob("*.py"))
    assert len(files) > 5
    words = {
        node.value
        for file in files
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return {methods[word] for word in words & set(methods)}


@cache
def _template(name: str) -> dict[str, Any]:
    made: dict[str, Any] = cfn_yaml.load(str(AWS / name))
    return made


def _policy(name: str) -> dict[str, Any]:
    made: dict[str, Any] = _rendered(_template("roles.yaml")["Resources"][name]["Properties"]["PolicyDocument"], GIVEN)
    return made


def _policies_by_sid() -> dict[str, tuple[list[str], list[str]]]:
    """Sid → actions and the keys of its conditions, of every statement of roles.yaml."""
    everything = {**GIVEN, "HasKeys": True, "HasQueue": True, "ChecksTheFence": True}
    resources = _template("roles.yaml")["Resources"]
    statements = [
        statement
        for document in (
            resources["Role"]["Properties"]["AssumeRolePolicyDocument"],
            resources["ReadPolicy"]["Properties"]["PolicyDocument"],
            resources["WriteBackPolicy"]["Properties"]["PolicyDocument"],
        )
        for statement in _rendered(document, everything)["Statement"]
    ]
    return {
        statement["Sid"]: (
            _list(statement["Action"]),
            sorted(key for condition in statement.get("Condition", {}).values() for key in condition),
        )
        for statement in statements
    }


_NOTHING = object()


def _rendered(node: Any, conditions: Mapping[str, bool]) -> Any:
    """As CloudFormation would, with the example's parameters."""
    if isinstance(node, list):
        items = [_rendered(item, conditions) for item in node]
        return [item for item in items if item is not _NOTHING]
    if not isinstance(node, dict):
        return node
    match node:
        case {"Ref": "AWS::NoValue"}:
            return _NOTHING
        case {"Ref": name}:
            return EXAMPLE.get(name, f"<{name}>")
        case {"Fn::Sub": str(text)}:
            return re.sub(r"\$\{([\w:]+)\}", lambda found: str(EXAMPLE[found[1]]), text)
        case {"Fn::If": [condition, then, otherwise]}:
            return _rendered(then if conditions[condition] else otherwise, conditions)
    return {key: _rendered(value, conditions) for key, value in node.items()}


def _sagemaker_actions(policy: Mapping[str, Any]) -> set[str]:
    actions = [action for statement in policy["Statement"] for action in _list(statement["Action"])]
    return {action.removeprefix("sagemaker:") for action in actions if action.startswith("sagemaker:")}


def _terraform(module: str) -> dict[str, Any]:
    made: dict[str, Any] = hcl2.loads((AWS / "terraform" / module / "main.tf").read_text())
    return made


def _documents(module: Mapping[str, Any]) -> dict[str, tuple[list[str], list[str]]]:
    """Sid → actions and the keys of its conditions, of every policy document of a module."""
    found: dict[str, tuple[list[str], list[str]]] = {}
    for statement in _statements(_unquoted(module["data"])):
        conditions = sorted(condition["variable"] for condition in statement.get("condition", []))
        found[statement["sid"]] = statement["actions"], conditions
    return found


def _statements(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict) and "actions" in node:
        yield node
    elif isinstance(node, dict | list):
        for inner in node.values() if isinstance(node, dict) else node:
            yield from _statements(inner)


def _unquoted(node: Any) -> Any:
    """HCL's strings as they are meant, without what the parser adds about blocks and comments."""
    if isinstance(node, dict):
        return {_unquoted(key): _unquoted(value) for key, value in node.items() if not key.startswith("__")}
    if isinstance(node, list):
        return [_unquoted(item) for item in node]
    return node.removeprefix('"').removesuffix('"') if isinstance(node, str) else node


def _list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
