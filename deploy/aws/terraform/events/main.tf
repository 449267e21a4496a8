# Tells Assent within seconds that something changed in SageMaker: events.yaml, for Terraform.

locals {
  fans_in = var.organization_id != null

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

  rules = merge(
    {
      state-changes = { pattern = jsonencode(local.state_changes), bus = "default" }
      calls         = { pattern = jsonencode(local.calls), bus = "default" }
    },
    # All that members send; their own rules choose.
    local.fans_in ? {
      from-members = { pattern = jsonencode({ source = ["aws.sagemaker"] }), bus = aws_cloudwatch_event_bus.this[0].name }
    } : {},
  )
}

resource "aws_sqs_queue" "this" {
  name                    = "assent-events"
  sqs_managed_sse_enabled = true
  # A hint older than a poll tells nothing new.
  message_retention_seconds  = 86400
  receive_wait_time_seconds  = 20
  visibility_timeout_seconds = 60
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letters.arn
    maxReceiveCount     = 5
  })
}

resource "aws_sqs_queue" "dead_letters" {
  name                      = "assent-events-dead-letters"
  sqs_managed_sse_enabled   = true
  message_retention_seconds = 1209600
}

data "aws_iam_policy_document" "queue" {
  for_each = { main = aws_sqs_queue.this.arn, dead-letters = aws_sqs_queue.dead_letters.arn }

  statement {
    sid       = "RulesOfThisAccountSend"
    actions   = ["sqs:SendMessage"]
    resources = [each.value]
    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }
    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [for rule in aws_cloudwatch_event_rule.this : rule.arn]
    }
  }

  statement {
    sid       = "NobodyWithoutTls"
    effect    = "Deny"
    actions   = ["sqs:*"]
    resources = [each.value]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_sqs_queue_policy" "this" {
  for_each  = { main = aws_sqs_queue.this.url, dead-letters = aws_sqs_queue.dead_letters.url }
  queue_url = each.value
  policy    = data.aws_iam_policy_document.queue[each.key].json
}

resource "aws_cloudwatch_event_rule" "this" {
  for_each       = local.rules
  name           = "assent-${each.key}"
  event_bus_name = each.value.bus
  event_pattern  = each.value.pattern
}

resource "aws_cloudwatch_event_target" "this" {
  for_each       = local.rules
  rule           = aws_cloudwatch_event_rule.this[each.key].name
  event_bus_name = each.value.bus
  target_id      = "assent"
  arn            = aws_sqs_queue.this.arn
  retry_policy {
    maximum_event_age_in_seconds = 3600
    maximum_retry_attempts       = 20
  }
  dead_letter_config {
    arn = aws_sqs_queue.dead_letters.arn
  }
}

resource "aws_cloudwatch_event_bus" "this" {
  count = local.fans_in ? 1 : 0
  name  = "assent"
}

data "aws_iam_policy_document" "bus" {
  count = local.fans_in ? 1 : 0
  statement {
    sid       = "MembersOfTheOrganizationSend"
    actions   = ["events:PutEvents"]
    resources = [aws_cloudwatch_event_bus.this[0].arn]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:PrincipalOrgID"
      values   = [var.organization_id]
    }
    condition {
      test     = "StringEquals"
      variable = "events:source"
      values   = ["aws.sagemaker"]
    }
  }
}

resource "aws_cloudwatch_event_bus_policy" "this" {
  count          = local.fans_in ? 1 : 0
  event_bus_name = aws_cloudwatch_event_bus.this[0].name
  policy         = data.aws_iam_policy_document.bus[0].json
}
