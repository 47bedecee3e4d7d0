# Everything of an environment that is in one region. The first region's database is the primary, a second's follows it.

data "aws_region" "this" {}

module "key" {
  for_each = {
    cluster  = { about = "Secrets of the cluster", services = [] }
    data     = { about = "Rows, objects, secrets and backups", services = ["cloudfront.amazonaws.com"] }
    logs     = { about = "Logs", services = ["logs.${data.aws_region.this.name}.amazonaws.com"] }
    messages = { about = "Alarms", services = ["backup.amazonaws.com", "budgets.amazonaws.com", "cloudwatch.amazonaws.com"] }
  }
  source      = "../key"
  name        = "${var.name}-${each.key}"
  description = "${each.value.about} of ${var.name}"
  services    = each.value.services
}

module "network" {
  source             = "../network"
  name               = var.name
  cidr               = var.cidr
  nat_per_zone       = var.nat_per_zone
  log_key_arn        = module.key["logs"].arn
  log_retention_days = var.shared.log_retention_days
}

module "cluster" {
  source             = "../cluster"
  name               = var.name
  kubernetes_version = var.shared.kubernetes_version
  subnet_ids         = module.network.private_subnet_ids
  secrets_key_arn    = module.key["cluster"].arn
  log_key_arn        = module.key["logs"].arn
  log_retention_days = var.shared.log_retention_days
  access             = var.shared.access
  api_cidrs          = var.shared.api_cidrs
  addon_versions     = var.shared.addon_versions
}

module "nodes" {
  source         = "../nodes"
  name           = var.name
  cluster_name   = module.cluster.name
  subnet_ids     = module.network.private_subnet_ids
  instance_type  = var.system_nodes.instance_type
  size           = var.system_nodes.size
  fargate_roles  = var.fargate_roles
  addon_versions = var.shared.addon_versions
}

# Made up anew at each run, kept nowhere: module `data` sends them where a secret is new, or its number was raised.
ephemeral "aws_secretsmanager_random_password" "this" {
  for_each            = toset(["backup-key", "database-url", "service-keys", "staff-password"])
  password_length     = 48
  exclude_punctuation = true
}

module "data" {
  source                   = "../data"
  name                     = var.name
  environment              = var.shared.environment
  vpc_id                   = module.network.vpc_id
  subnet_ids               = module.network.data_subnet_ids
  client_security_group_id = module.cluster.security_group_id
  key_arn                  = module.key["data"].arn
  log_key_arn              = module.key["logs"].arn
  log_retention_days       = var.shared.log_retention_days
  deletion_protection      = var.shared.deletion_protection
  database                 = var.database
  cache                    = var.cache
  replica_of               = var.replica_of
  bucket_replicas          = var.bucket_replicas
  secret_replica           = var.secret_replica
  secret_versions          = var.secret_versions
  passwords = {
    for name, password in ephemeral.aws_secretsmanager_random_password.this : name => password.random_password
  }
}

module "identity" {
  source                 = "../identity"
  name                   = var.name
  environment            = var.shared.environment
  cluster_name           = module.cluster.name
  cluster_arn            = module.cluster.arn
  node_security_group_id = module.cluster.security_group_id
  vpc_id                 = module.network.vpc_id
  zone_id                = var.shared.zone_id
  key_arn                = module.key["data"].arn
  message_key_arn        = module.key["messages"].arn
  buckets                = { objects = module.data.objects.arn, backups = module.data.backups.arn }
}

module "observability" {
  source             = "../observability"
  name               = var.name
  environment        = var.shared.environment
  cluster_name       = module.cluster.name
  system_nodes       = module.nodes.autoscaling_group
  database           = var.name
  is_replica         = var.replica_of != null
  cache              = var.name
  cache_nodes        = var.cache.nodes
  emails             = var.shared.emails
  key_arn            = module.key["messages"].arn
  log_key_arn        = module.key["logs"].arn
  log_retention_days = var.shared.log_retention_days
}
