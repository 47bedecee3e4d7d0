# PostgreSQL: the orders, the stock and all the rest. The first region's is the primary; another region's follows it and
# becomes a primary of its own when it is promoted.

locals {
  is_replica = var.replica_of != null
  family     = "postgres${var.database.version}"
}

resource "aws_db_subnet_group" "this" {
  name       = var.name
  subnet_ids = var.subnet_ids
}

resource "aws_security_group" "database" {
  name        = "${var.name}-database"
  description = "PostgreSQL from the cluster, from the proxy and from the rotation of passwords"
  vpc_id      = var.vpc_id
  tags        = { Name = "${var.name}-database" }
}

resource "aws_vpc_security_group_ingress_rule" "database" {
  for_each                     = { cluster = var.client_security_group_id, proxy = aws_security_group.proxy.id }
  security_group_id            = aws_security_group.database.id
  description                  = "PostgreSQL from the ${each.key}"
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
}

resource "aws_db_parameter_group" "this" {
  name_prefix = "${var.name}-"
  description = "TLS only, statements counted, slow ones logged"
  family      = local.family

  dynamic "parameter" {
    for_each = {
      "rds.force_ssl"              = "1"
      "log_min_duration_statement" = "500"
      "log_lock_waits"             = "1"
      "log_connections"            = "1"
      "log_disconnections"         = "1"
    }
    content {
      name  = parameter.key
      value = parameter.value
    }
  }

  lifecycle { create_before_destroy = true }
}

data "aws_iam_policy_document" "monitoring_trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["monitoring.rds.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "monitoring" {
  name               = "${var.name}-rds-monitoring"
  assume_role_policy = data.aws_iam_policy_document.monitoring_trust.json
}

resource "aws_iam_role_policy_attachment" "monitoring" {
  role       = aws_iam_role.monitoring.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
}

resource "aws_cloudwatch_log_group" "database" {
  for_each          = toset(["postgresql", "upgrade"])
  name              = "/aws/rds/instance/${var.name}/${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.log_key_arn
}

resource "aws_db_instance" "this" {
  identifier          = var.name
  replicate_source_db = try(var.replica_of.arn, null)

  engine         = local.is_replica ? null : "postgres"
  engine_version = local.is_replica ? null : var.database.version
  db_name        = local.is_replica ? null : "souk"
  username       = local.is_replica ? null : "souk"

  password_wo         = local.is_replica ? null : var.passwords["database-url"]
  password_wo_version = local.is_replica ? null : lookup(var.secret_versions, "database-url", 1)

  instance_class        = var.database.instance_class
  storage_type          = "gp3"
  allocated_storage     = local.is_replica ? null : var.database.storage_gib
  max_allocated_storage = var.database.max_storage_gib
  storage_encrypted     = true
  kms_key_id            = var.key_arn

  multi_az                            = var.database.multi_az
  db_subnet_group_name                = aws_db_subnet_group.this.name
  vpc_security_group_ids              = [aws_security_group.database.id]
  publicly_accessible                 = false
  parameter_group_name                = aws_db_parameter_group.this.name
  iam_database_authentication_enabled = true

  backup_retention_period    = var.database.backup_days
  backup_window              = "02:00-03:00"
  maintenance_window         = "sun:03:30-sun:04:30"
  auto_minor_version_upgrade = true
  copy_tags_to_snapshot      = true
  deletion_protection        = var.deletion_protection
  skip_final_snapshot        = !var.deletion_protection
  final_snapshot_identifier  = var.deletion_protection ? "${var.name}-final" : null

  monitoring_interval             = 60
  monitoring_role_arn             = aws_iam_role.monitoring.arn
  performance_insights_enabled    = true
  performance_insights_kms_key_id = var.key_arn
  enabled_cloudwatch_logs_exports = ["postgresql", "upgrade"]

  depends_on = [aws_cloudwatch_log_group.database, aws_iam_role_policy_attachment.monitoring]

  lifecycle {
    # A replica that was promoted stays one, whatever the code says, until the code is changed too.
    ignore_changes = [replicate_source_db]
  }
}
