# Brings an old shop's rows over with DMS: all of them, then what changes, until the day of the switch. Made for that
# time only.

data "aws_region" "this" {}
data "aws_caller_identity" "this" {}

resource "aws_security_group" "this" {
  name        = "${var.name}-migration"
  description = "DMS to the old database and to the new one"
  vpc_id      = var.vpc_id
  tags        = { Name = "${var.name}-migration" }
}

resource "aws_vpc_security_group_egress_rule" "source" {
  security_group_id = aws_security_group.this.id
  description       = "The old database"
  cidr_ipv4         = var.source_cidr
  ip_protocol       = "tcp"
  from_port         = var.source_port
  to_port           = var.source_port
}

resource "aws_vpc_security_group_egress_rule" "target" {
  security_group_id            = aws_security_group.this.id
  description                  = "The new database"
  referenced_security_group_id = var.database_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
}

resource "aws_vpc_security_group_egress_rule" "secrets" {
  security_group_id = aws_security_group.this.id
  description       = "Secrets Manager, by its endpoint"
  cidr_ipv4         = var.vpc_cidr
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_ingress_rule" "database" {
  security_group_id            = var.database_security_group_id
  description                  = "PostgreSQL from the migration"
  referenced_security_group_id = aws_security_group.this.id
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
}

resource "aws_dms_replication_subnet_group" "this" {
  replication_subnet_group_id          = var.name
  replication_subnet_group_description = "Private subnets, from which the old database is reached"
  subnet_ids                           = var.subnet_ids
  # DMS looks for this role by its name.
  depends_on = [aws_iam_role_policy_attachment.vpc]
}

resource "aws_dms_replication_instance" "this" {
  replication_instance_id     = var.name
  replication_instance_class  = var.instance_class
  allocated_storage           = 50
  replication_subnet_group_id = aws_dms_replication_subnet_group.this.id
  vpc_security_group_ids      = [aws_security_group.this.id]
  kms_key_arn                 = var.key_arn
  publicly_accessible         = false
  multi_az                    = false
  auto_minor_version_upgrade  = true
}

# Names, users and passwords of both ends are in secrets that are put there by hand: {"host", "port", "username",
# "password"}.
resource "aws_secretsmanager_secret" "this" {
  for_each                = toset(["source", "target"])
  name                    = "souk/${var.environment}/migration-${each.key}"
  description             = "How DMS reaches the ${each.key}"
  kms_key_id              = var.key_arn
  recovery_window_in_days = 0
}

resource "aws_dms_endpoint" "this" {
  for_each                        = { source = var.source_engine, target = "postgres" }
  endpoint_id                     = "${var.name}-${each.key}"
  endpoint_type                   = each.key
  engine_name                     = each.value
  database_name                   = each.key == "source" ? var.source_database : "souk"
  ssl_mode                        = "require"
  kms_key_arn                     = var.key_arn
  secrets_manager_arn             = aws_secretsmanager_secret.this[each.key].arn
  secrets_manager_access_role_arn = aws_iam_role.secrets.arn
}

resource "aws_dms_replication_task" "this" {
  replication_task_id      = var.name
  replication_instance_arn = aws_dms_replication_instance.this.replication_instance_arn
  source_endpoint_arn      = aws_dms_endpoint.this["source"].endpoint_arn
  target_endpoint_arn      = aws_dms_endpoint.this["target"].endpoint_arn
  migration_type           = "full-load-and-cdc"
  # Into a schema of its own, from which Souk's import reads: no table of the shop is written behind its back.
  table_mappings = jsonencode({
    rules = [
      {
        rule-type      = "selection", rule-id = "1", rule-name = "all", rule-action = "include"
        object-locator = { schema-name = var.source_schema, table-name = "%" }
      },
      {
        rule-type      = "transformation", rule-id = "2", rule-name = "schema", rule-action = "rename"
        rule-target    = "schema", value = "migration"
        object-locator = { schema-name = var.source_schema }
      },
    ]
  })
  replication_task_settings = jsonencode({
    Logging            = { EnableLogging = true }
    ValidationSettings = { EnableValidation = true, ThreadCount = 4 }
    FullLoadSettings   = { TargetTablePrepMode = "DROP_AND_CREATE", MaxFullLoadSubTasks = 4 }
  })
}
