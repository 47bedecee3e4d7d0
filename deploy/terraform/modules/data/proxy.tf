# RDS Proxy: few connections to the database for many pods, and a failover that they hardly notice.

locals { proxy = var.database.proxy && !local.is_replica }

resource "aws_security_group" "proxy" {
  name        = "${var.name}-database-proxy"
  description = "PostgreSQL from the cluster to RDS Proxy"
  vpc_id      = var.vpc_id
  tags        = { Name = "${var.name}-database-proxy" }
}

resource "aws_vpc_security_group_ingress_rule" "proxy" {
  security_group_id            = aws_security_group.proxy.id
  description                  = "PostgreSQL from the cluster"
  referenced_security_group_id = var.client_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
}

resource "aws_vpc_security_group_egress_rule" "proxy" {
  security_group_id            = aws_security_group.proxy.id
  description                  = "PostgreSQL to the database"
  referenced_security_group_id = aws_security_group.database.id
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
}

data "aws_iam_policy_document" "proxy_trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["rds.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.this.account_id]
    }
  }
}

data "aws_iam_policy_document" "proxy" {
  count = local.proxy ? 1 : 0
  statement {
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [aws_secretsmanager_secret.database[0].arn]
  }
  statement {
    actions   = ["kms:Decrypt"]
    resources = [var.key_arn]
    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["secretsmanager.${data.aws_region.this.name}.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "proxy" {
  count              = local.proxy ? 1 : 0
  name               = "${var.name}-database-proxy"
  assume_role_policy = data.aws_iam_policy_document.proxy_trust.json
}

resource "aws_iam_role_policy" "proxy" {
  count  = local.proxy ? 1 : 0
  name   = "credentials"
  role   = aws_iam_role.proxy[0].id
  policy = data.aws_iam_policy_document.proxy[0].json
}

# The form in which RDS Proxy wants what is in `database-url` too.
resource "aws_secretsmanager_secret" "database" {
  count                   = local.proxy ? 1 : 0
  name                    = "souk/${var.environment}/database-proxy"
  description             = "User and password of the database, for RDS Proxy"
  kms_key_id              = var.key_arn
  recovery_window_in_days = local.recovery_days
}

resource "aws_secretsmanager_secret_version" "database" {
  count                    = local.proxy ? 1 : 0
  secret_id                = aws_secretsmanager_secret.database[0].id
  secret_string_wo_version = lookup(var.secret_versions, "database-url", 1)
  secret_string_wo = jsonencode({
    username = "souk"
    password = var.passwords["database-url"]
  })
}

resource "aws_db_proxy" "this" {
  count                  = local.proxy ? 1 : 0
  name                   = var.name
  engine_family          = "POSTGRESQL"
  role_arn               = aws_iam_role.proxy[0].arn
  vpc_subnet_ids         = var.subnet_ids
  vpc_security_group_ids = [aws_security_group.proxy.id]
  require_tls            = true
  # Longer than Souk keeps a connection that idles.
  idle_client_timeout = 1800

  auth {
    auth_scheme               = "SECRETS"
    secret_arn                = aws_secretsmanager_secret.database[0].arn
    iam_auth                  = "DISABLED"
    client_password_auth_type = "POSTGRES_SCRAM_SHA_256"
  }

  depends_on = [aws_iam_role_policy.proxy, aws_secretsmanager_secret_version.database]
}

resource "aws_db_proxy_default_target_group" "this" {
  count         = local.proxy ? 1 : 0
  db_proxy_name = aws_db_proxy.this[0].name
  connection_pool_config {
    max_connections_percent      = 90
    max_idle_connections_percent = 50
    connection_borrow_timeout    = 5
  }
}

resource "aws_db_proxy_target" "this" {
  count                  = local.proxy ? 1 : 0
  db_proxy_name          = aws_db_proxy.this[0].name
  target_group_name      = aws_db_proxy_default_target_group.this[0].name
  db_instance_identifier = aws_db_instance.this.identifier
}
