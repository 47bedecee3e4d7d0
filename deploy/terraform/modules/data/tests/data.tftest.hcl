mock_provider "aws" { source = "../../mocks" }

variables {
  name                     = "souk-test"
  environment              = "test"
  vpc_id                   = "vpc-1"
  subnet_ids               = ["subnet-1", "subnet-2", "subnet-3"]
  client_security_group_id = "sg-1"
  key_arn                  = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
  log_key_arn              = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
  log_retention_days       = 30
  deletion_protection      = true
  database                 = { instance_class = "db.r7g.large", backup_days = 35, multi_az = true, proxy = true }
  cache                    = { node_type = "cache.m7g.large", nodes = 3 }
  passwords = {
    backup-key = "b", database-url = "d", service-keys = "k", staff-password = "s"
  }
}

run "database" {
  command = plan
  assert {
    condition = (aws_db_instance.this.storage_encrypted && aws_db_instance.this.multi_az
    && !aws_db_instance.this.publicly_accessible && aws_db_instance.this.deletion_protection)
    error_message = "Expected a database that is encrypted, in two zones, not public, and not deleted by mistake."
  }
  assert {
    condition     = aws_db_proxy.this[0].require_tls
    error_message = "Expected TLS to the proxy."
  }
}

run "cache" {
  command = plan
  assert {
    condition = (aws_elasticache_replication_group.this.automatic_failover_enabled
    && aws_elasticache_replication_group.this.at_rest_encryption_enabled == "true")
    error_message = "Expected Redis to fail over, and to be encrypted where it is kept."
  }
  assert {
    condition     = aws_elasticache_replication_group.this.transit_encryption_enabled == false
    error_message = "Expected connections as Souk's client can make them."
  }
}

run "secrets" {
  command = plan
  assert {
    condition = alltrue([for name, secret in aws_secretsmanager_secret.this :
    secret.name == "souk/test/${name}" && secret.kms_key_id == var.key_arn])
    error_message = "Expected secrets under souk/<environment>/, encrypted with the key of data."
  }
  assert {
    condition     = aws_secretsmanager_secret_rotation.service_keys[0].rotation_rules[0].automatically_after_days == 30
    error_message = "Expected the roles' keys to be rotated every month."
  }
}

run "replica" {
  command = plan
  variables {
    replica_of = { arn = "arn:aws:rds:eu-west-1:111122223333:db:souk-prod" }
  }
  assert {
    condition     = length(aws_db_proxy.this) == 0 && length(aws_secretsmanager_secret.this) == 0
    error_message = "Expected a replica to have its user, its secrets and its proxy from the primary."
  }
}

run "graviton_only" {
  command = plan
  variables {
    database = { instance_class = "db.m7i.large", backup_days = 7, multi_az = false, proxy = false }
  }
  expect_failures = [var.database]
}
