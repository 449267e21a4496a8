# The role by which Assent reads the SageMaker model registry of this account: roles.yaml, for Terraform.

data "aws_partition" "this" {}

data "aws_caller_identity" "this" {}

locals {
  sagemaker = "arn:${data.aws_partition.this.partition}:sagemaker:*:${data.aws_caller_identity.this.account_id}"
  iam       = "arn:${data.aws_partition.this.partition}:iam::${data.aws_caller_identity.this.account_id}"
}

data "aws_iam_policy_document" "trust" {
  statement {
    sid     = "AssentWithItsExternalId"
    actions = ["sts:AssumeRole"]
    principals {
      type        = "AWS"
      identifiers = [var.trusted_principal_arn]
    }
    condition {
      test     = "StringEquals"
      variable = "sts:ExternalId"
      values   = [var.external_id]
    }
  }
}

data "aws_iam_policy_document" "read" {
  # These know no resources: it is all or nothing.
  statement {
    sid = "ListAndSearch"
    actions = [
      "sagemaker:ListArtifacts",
      "sagemaker:ListEndpoints",
      "sagemaker:ListInferenceComponents",
      "sagemaker:ListModelPackageGroups",
      "sagemaker:ListMonitoringExecutions",
      "sagemaker:ListTransformJobs",
      "sagemaker:QueryLineage",
      "sagemaker:Search",
    ]
    resources = ["*"]
  }

  statement {
    sid = "ReadTheRegistry"
    actions = [
      "sagemaker:DescribeModelPackage",
      "sagemaker:DescribeModelPackageGroup",
      "sagemaker:ListModelPackages",
      "sagemaker:ListTags",
    ]
    resources = ["${local.sagemaker}:model-package/*", "${local.sagemaker}:model-package-group/*"]
  }

  statement {
    sid = "SeeWhatServes"
    actions = [
      "sagemaker:DescribeEndpoint",
      "sagemaker:DescribeEndpointConfig",
      "sagemaker:DescribeInferenceComponent",
      "sagemaker:DescribeModel",
      "sagemaker:DescribeTransformJob",
    ]
    resources = [
      "${local.sagemaker}:endpoint/*",
      "${local.sagemaker}:endpoint-config/*",
      "${local.sagemaker}:inference-component/*",
      "${local.sagemaker}:model/*",
      "${local.sagemaker}:transform-job/*",
    ]
  }

  statement {
    sid       = "SeeWhatMadeThem"
    actions   = ["sagemaker:DescribeTrainingJob", "sagemaker:DescribeTrialComponent"]
    resources = ["${local.sagemaker}:experiment-trial-component/*", "${local.sagemaker}:training-job/*"]
  }

  dynamic "statement" {
    for_each = length(var.report_object_arns) > 0 ? [1] : []
    content {
      sid       = "ReadReports"
      actions   = ["s3:GetObject"]
      resources = var.report_object_arns
    }
  }

  dynamic "statement" {
    for_each = length(var.report_bucket_arns) > 0 ? [1] : []
    content {
      sid       = "TellMissingFromForbidden"
      actions   = ["s3:ListBucket"]
      resources = var.report_bucket_arns
    }
  }

  dynamic "statement" {
    for_each = length(var.kms_key_arns) > 0 ? [1] : []
    content {
      sid       = "DecryptReportsAndCards"
      actions   = ["kms:Decrypt"]
      resources = var.kms_key_arns
      condition {
        test     = "StringLike"
        variable = "kms:ViaService"
        values = [
          "s3.*.${data.aws_partition.this.dns_suffix}",
          "sagemaker.*.${data.aws_partition.this.dns_suffix}",
        ]
      }
    }
  }

  dynamic "statement" {
    for_each = var.queue_arn != null ? [1] : []
    content {
      sid       = "ReceiveHints"
      actions   = ["sqs:DeleteMessage", "sqs:ReceiveMessage"]
      resources = [var.queue_arn]
    }
  }

  dynamic "statement" {
    for_each = var.allow_fence_check ? [1] : []
    content {
      sid       = "SeeWhoMayApprove"
      actions   = ["iam:SimulatePrincipalPolicy"]
      resources = ["${local.iam}:role/*", "${local.iam}:user/*"]
    }
  }
}

data "aws_iam_policy_document" "write_back" {
  # An update that sets no approval status has no such key, and is not allowed by this.
  statement {
    sid       = "WriteDecisions"
    actions   = ["sagemaker:UpdateModelPackage"]
    resources = ["${local.sagemaker}:model-package/*"]
    condition {
      test     = "StringEquals"
      variable = "sagemaker:ModelApprovalStatus"
      values   = ["Approved", "Rejected", "PendingManualApproval"]
    }
  }

  # Labels beside the decision, in updates of their own.
  statement {
    sid       = "WriteStatus"
    actions   = ["sagemaker:UpdateModelPackage"]
    resources = ["${local.sagemaker}:model-package/*"]
    condition {
      test     = "Null"
      variable = "sagemaker:CustomerMetadataProperties/assent:status"
      values   = ["false"]
    }
    condition {
      test     = "Null"
      variable = "sagemaker:ModelApprovalStatus"
      values   = ["true"]
    }
  }

  statement {
    sid       = "WriteUseCases"
    actions   = ["sagemaker:UpdateModelPackage"]
    resources = ["${local.sagemaker}:model-package/*"]
    condition {
      test     = "Null"
      variable = "sagemaker:CustomerMetadataProperties/assent:use-cases"
      values   = ["false"]
    }
    condition {
      test     = "Null"
      variable = "sagemaker:ModelApprovalStatus"
      values   = ["true"]
    }
  }

  statement {
    sid       = "MoveLifeCycle"
    actions   = ["sagemaker:UpdateModelPackage"]
    resources = ["${local.sagemaker}:model-package/*"]
    condition {
      test     = "Null"
      variable = "sagemaker:ModelLifeCycle:Stage"
      values   = ["false"]
    }
    condition {
      test     = "Null"
      variable = "sagemaker:ModelApprovalStatus"
      values   = ["true"]
    }
  }
}

resource "aws_iam_role" "this" {
  name               = var.role_name
  description        = "Assent reads the model registry"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

resource "aws_iam_role_policy" "read" {
  name   = "assent-read"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.read.json
}

resource "aws_iam_role_policy" "write_back" {
  count  = var.allow_write_back ? 1 : 0
  name   = "assent-write-back"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.write_back.json
}
