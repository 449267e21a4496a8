# Sends what SageMaker tells in this account and region to the bus of the module events: events-member.yaml, for Terraform.

data "aws_caller_identity" "this" {}

locals {
  # What SageMaker itself tells.
  state_changes = {
    source = ["aws.sagemaker"]
    detail-type = [
      "SageMaker Model Package State Change",
      "SageMaker Model Card State Change",
      "SageMaker Endpoint State Change",
      "SageMaker Endpoint Deployment State Change",
      "SageMaker Inference Component State Change",
      "SageMaker Training Job State Change",
    ]
  }

  # What SageMaker tells nobody but CloudTrail; needs a trail of management events.
  calls = {
    source      = ["aws.sagemaker"]
    detail-type = ["AWS API Call via CloudTrail"]
    detail = {
      eventSource = ["sagemaker.amazonaws.com"]
      eventName = [
        "UpdateModelPackage",
        "DeleteModelPackage",
        "CreateModelPackageGroup",
        "DeleteModelPackageGroup",
        "CreateEndpoint",
        "UpdateEndpoint",
        "UpdateEndpointWeightsAndCapacities",
        "DeleteEndpoint",
        "AddTags",
        "DeleteTags",
      ]
    }
  }

  rules = { state-changes = jsonencode(local.state_changes), calls = jsonencode(local.calls) }
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.this.account_id]
    }
  }
}

data "aws_iam_policy_document" "send" {
  statement {
    sid       = "SendToTheBus"
    actions   = ["events:PutEvents"]
    resources = [var.bus_arn]
  }
}

resource "aws_iam_role" "sender" {
  name_prefix        = "assent-events-"
  description        = "EventBridge sends events to the bus that Assent listens on"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

resource "aws_iam_role_policy" "send" {
  name   = "send"
  role   = aws_iam_role.sender.id
  policy = data.aws_iam_policy_document.send.json
}

resource "aws_cloudwatch_event_rule" "this" {
  for_each      = local.rules
  name          = "assent-${each.key}"
  event_pattern = each.value
}

resource "aws_cloudwatch_event_target" "this" {
  for_each  = local.rules
  rule      = aws_cloudwatch_event_rule.this[each.key].name
  target_id = "assent"
  arn       = var.bus_arn
  role_arn  = aws_iam_role.sender.arn
}
