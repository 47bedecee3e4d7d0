# The shop's roles and jobs: which secrets they read, and what they do with the buckets. The chart mounts the same
# secrets into the same pods.

locals {
  common = ["redis-url", "service-keys"]
  souk = {
    storefront    = { secrets = local.common, objects = "read" }
    users         = { secrets = concat(local.common, ["database-url", "staff-password"]) }
    auth          = { secrets = concat(local.common, ["database-url", "signing-key"]) }
    products      = { secrets = concat(local.common, ["database-url"]), objects = "write" }
    orders        = { secrets = concat(local.common, ["database-url"]) }
    payments      = { secrets = concat(local.common, ["database-url", "stripe-key", "webhook-secret"]) }
    notifications = { secrets = concat(local.common, ["database-url", "smtp-url"]) }
    migrate       = { secrets = ["database-url"] }
    audit         = { secrets = ["database-url"] }
    demo          = { secrets = ["database-url", "redis-url"], objects = "write" }
    backup        = { secrets = ["database-url", "backup-key"], objects = "read", backups = "add" }
  }
  object_actions = {
    # Whoever is in the job's place cannot take earlier backups away: the bucket does that in time, and keeps a version
    # that is put over.
    add   = ["s3:GetObject", "s3:PutObject"]
    read  = ["s3:GetObject"]
    write = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
  }
}

data "aws_iam_policy_document" "souk" {
  for_each = local.souk

  statement {
    sid     = "Secrets"
    actions = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"]
    # AWS puts six characters behind a secret's name.
    resources = [for secret in each.value.secrets :
      "arn:aws:secretsmanager:${local.region}:${local.account}:secret:souk/${var.environment}/${secret}-??????"
    ]
  }

  statement {
    sid       = "Key"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.key_arn]
    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = [for service in ["s3", "secretsmanager"] : "${service}.${local.region}.amazonaws.com"]
    }
  }

  dynamic "statement" {
    for_each = { for kind in ["objects", "backups"] : kind => each.value[kind] if contains(keys(each.value), kind) }
    content {
      actions   = local.object_actions[statement.value]
      resources = ["${var.buckets[statement.key]}/*"]
    }
  }

  # Without it, S3 says of an object that is not there that it is forbidden.
  dynamic "statement" {
    for_each = toset([for kind in ["objects", "backups"] : kind if contains(keys(each.value), kind)])
    content {
      actions   = ["s3:ListBucket"]
      resources = [var.buckets[statement.value]]
    }
  }
}
