# Secrets. Terraform makes the place and never keeps a value: what can be made up is sent once and written nowhere else,
# what others give (Stripe, the mail provider, the key that signs tokens) is put there by hand, as the README says.

locals {
  recovery_days = var.deletion_protection ? 30 : 0
  prefix        = "souk/${var.environment}"
  # In the second region secrets are copies of the first's.
  secrets = local.is_replica ? {} : {
    backup-key     = "Encrypts backups before they leave the process"
    database-url   = "The database, through the proxy where there is one"
    redis-url      = "Redis"
    service-keys   = "By which roles know each other; rotated every month"
    signing-key    = "Signs access tokens: a PEM file, given"
    smtp-url       = "The mail server: given by the mail provider"
    staff-password = "Of the first staff account"
    stripe-key     = "Given by Stripe"
    webhook-secret = "Signs what the payment provider sends: given by Stripe"
  }
  made_up = local.is_replica ? toset([]) : toset(["backup-key", "service-keys", "staff-password"])
  urls = local.is_replica ? {} : {
    database-url = join("", [
      "postgres://souk:", var.passwords["database-url"],
      "@database.souk.internal:5432/souk?sslmode=require", local.proxy ? "&pooler=transaction" : "",
    ])
    redis-url = "redis://redis.souk.internal:6379"
  }
}

resource "aws_secretsmanager_secret" "this" {
  for_each                = local.secrets
  name                    = "${local.prefix}/${each.key}"
  description             = each.value
  kms_key_id              = var.key_arn
  recovery_window_in_days = local.recovery_days

  dynamic "replica" {
    for_each = var.secret_replica == null ? [] : [var.secret_replica]
    content {
      region     = replica.value.region
      kms_key_id = replica.value.key_arn
    }
  }
}

resource "aws_secretsmanager_secret_version" "made_up" {
  for_each                 = local.made_up
  secret_id                = aws_secretsmanager_secret.this[each.key].id
  secret_string_wo         = var.passwords[each.key]
  secret_string_wo_version = lookup(var.secret_versions, each.key, 1)
}

resource "aws_secretsmanager_secret_version" "url" {
  for_each                 = toset(local.is_replica ? [] : ["database-url", "redis-url"])
  secret_id                = aws_secretsmanager_secret.this[each.key].id
  secret_string_wo         = local.urls[each.key]
  secret_string_wo_version = lookup(var.secret_versions, each.key, 1)
}
