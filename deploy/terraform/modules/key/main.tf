# A key of our own, turned over every year. The account's IAM says who may use it; a service may use it by itself only
# where it is named, and only on this account's behalf.

data "aws_caller_identity" "this" {}

locals {
  account = data.aws_caller_identity.this.account_id
  # How a service says on whose behalf it comes.
  proofs = {
    logs       = { variable = "kms:EncryptionContext:aws:logs:arn", value = "arn:aws:logs:*:${local.account}:*" }
    cloudfront = { variable = "aws:SourceArn", value = "arn:aws:cloudfront::${local.account}:distribution/*" }
    any        = { variable = "aws:SourceAccount", value = local.account }
  }
}

data "aws_iam_policy_document" "key" {
  # Without it, IAM policies could grant nothing on the key, and nobody could repair it.
  statement {
    sid       = "Account"
    actions   = ["kms:*"]
    resources = ["*"]
    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::${local.account}:root"]
    }
  }

  dynamic "statement" {
    for_each = var.services
    content {
      actions   = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
      resources = ["*"]
      principals {
        type        = "Service"
        identifiers = [statement.value]
      }
      condition {
        test     = "StringLike"
        variable = lookup(local.proofs, split(".", statement.value)[0], local.proofs.any).variable
        values   = [lookup(local.proofs, split(".", statement.value)[0], local.proofs.any).value]
      }
    }
  }
}

resource "aws_kms_key" "this" {
  description             = var.description
  policy                  = data.aws_iam_policy_document.key.json
  enable_key_rotation     = true
  deletion_window_in_days = 30
}

resource "aws_kms_alias" "this" {
  name          = "alias/${var.name}"
  target_key_id = aws_kms_key.this.key_id
}
