"""The fence's policies as they are deployed: plain JSON, a CloudFormation template, a Terraform file."""

import json
from collections.abc import Mapping
from enum import StrEnum
from textwrap import indent
from typing import Any

import yaml

from assent_local.guardrail import Document, Policy, text

NAME = "assent-guardrail"


class Format(StrEnum):
    JSON = "json"
    CLOUDFORMATION = "cloudformation"
    TERRAFORM = "terraform"


def rendered(document: Document, kind: Policy, format_: Format) -> str:
    match format_:
        case Format.JSON:
            return text(document)
        case Format.CLOUDFORMATION:
            # Parsed anew, nothing in it is shared: CloudFormation takes no YAML aliases.
            return yaml.safe_dump(_template(json.loads(text(document)), kind), sort_keys=False, width=120)
    return _TERRAFORM[kind].replace("DOCUMENT", indent(text(document), "    ").rstrip())


_DESCRIPTIONS: Mapping[Policy, str] = {
    Policy.ORGANISATION: "Nobody but Assent approves a model. Deploy in the organisation's management account.",
    Policy.ACCOUNT: "Nobody but Assent approves a model. Attach it to the roles and groups that are to be fenced off.",
    Policy.ROLE: "Assent writes its decisions back to the model registry.",
}


def _template(document: Document, kind: Policy) -> dict[str, Any]:
    match kind:
        case Policy.ORGANISATION:
            parameter = ("TargetIds", "CommaDelimitedList", "Organisational units or accounts that it holds for")
            resource = {
                "Type": "AWS::Organizations::Policy",
                "Properties": {
                    "Name": NAME,
                    "Description": "Nobody but Assent approves a model",
                    "Type": "SERVICE_CONTROL_POLICY",
                    "TargetIds": {"Ref": "TargetIds"},
                    "Content": document,
                },
            }
        case Policy.ACCOUNT:
            parameter = ("RoleNames", "CommaDelimitedList", "The roles that are fenced off")
            resource = {
                "Type": "AWS::IAM::ManagedPolicy",
                "Properties": {
                    "ManagedPolicyName": NAME,
                    "Roles": {"Ref": "RoleNames"},
                    "PolicyDocument": document,
                },
            }
        case Policy.ROLE:
            parameter = ("RoleName", "String", "Assent's role")
            resource = {
                "Type": "AWS::IAM::RolePolicy",
                "Properties": {
                    "PolicyName": "assent-write-back",
                    "RoleName": {"Ref": "RoleName"},
                    "PolicyDocument": document,
                },
            }
    name, type_, description = parameter
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": _DESCRIPTIONS[kind],
        "Parameters": {name: {"Type": type_, "Description": description}},
        "Resources": {"Guardrail": resource},
    }


_TERRAFORM: Mapping[Policy, str] = {
    Policy.ORGANISATION: """\
# Nobody but Assent approves a model. Apply it with the organisation's management account.

variable "target_ids" {
  description = "Organisational units or accounts that it holds for"
  type        = set(string)
}

resource "aws_organizations_policy" "guardrail" {
  name    = "assent-guardrail"
  type    = "SERVICE_CONTROL_POLICY"
  content = <<-JSON
DOCUMENT
  JSON
}

resource "aws_organizations_policy_attachment" "guardrail" {
  for_each  = var.target_ids
  policy_id = aws_organizations_policy.guardrail.id
  target_id = each.value
}
""",
    Policy.ACCOUNT: """\
# Nobody but Assent approves a model.

variable "role_names" {
  description = "The roles that are fenced off"
  type        = set(string)
}

resource "aws_iam_policy" "guardrail" {
  name   = "assent-guardrail"
  policy = <<-JSON
DOCUMENT
  JSON
}

resource "aws_iam_role_policy_attachment" "guardrail" {
  for_each   = var.role_names
  role       = each.value
  policy_arn = aws_iam_policy.guardrail.arn
}
""",
    Policy.ROLE: """\
# Assent writes its decisions back to the model registry.

variable "role_name" {
  description = "Assent's role"
  type        = string
}

resource "aws_iam_role_policy" "write_back" {
  name   = "assent-write-back"
  role   = var.role_name
  policy = <<-JSON
DOCUMENT
  JSON
}
""",
}
