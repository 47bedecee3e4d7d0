# Redis: events on their way, and what may be forgotten. The shop goes on selling while it is away.

resource "aws_elasticache_subnet_group" "this" {
  name       = var.name
  subnet_ids = var.subnet_ids
}

resource "aws_security_group" "cache" {
  name        = "${var.name}-cache"
  description = "Redis from the cluster"
  vpc_id      = var.vpc_id
  tags        = { Name = "${var.name}-cache" }
}

resource "aws_vpc_security_group_ingress_rule" "cache" {
  security_group_id            = aws_security_group.cache.id
  description                  = "Redis from the cluster"
  referenced_security_group_id = var.client_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = 6379
  to_port                      = 6379
}

resource "aws_elasticache_replication_group" "this" {
  replication_group_id       = var.name
  description                = "Events and cache of ${var.name}"
  engine                     = "redis"
  engine_version             = "7.1"
  node_type                  = var.cache.node_type
  num_cache_clusters         = var.cache.nodes
  automatic_failover_enabled = var.cache.nodes > 1
  multi_az_enabled           = var.cache.nodes > 1
  subnet_group_name          = aws_elasticache_subnet_group.this.name
  security_group_ids         = [aws_security_group.cache.id]
  at_rest_encryption_enabled = true
  kms_key_id                 = var.key_arn
  # Souk's client speaks no TLS yet, and without TLS there are no passwords either: what protects Redis until then is
  # its security group, which lets in the cluster alone, and the network policies inside it.
  transit_encryption_enabled = var.cache.transit_encryption
  transit_encryption_mode    = var.cache.transit_encryption ? "required" : null
  snapshot_retention_limit   = var.cache.snapshot_days
  snapshot_window            = "01:00-02:00"
  maintenance_window         = "sun:05:00-sun:06:00"
  auto_minor_version_upgrade = true
  final_snapshot_identifier  = var.deletion_protection ? "${var.name}-final" : null
}
