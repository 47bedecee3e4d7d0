# One environment: a region, a second one where it is asked for, and what stands before and beside them.

data "aws_caller_identity" "this" {}
data "aws_region" "this" {}
data "aws_region" "second" { provider = aws.second }
data "aws_route53_zone" "this" { name = var.domain }

locals {
  name   = "souk-${var.environment}"
  second = var.second_region != null
  shared = {
    environment         = var.environment
    domain              = var.domain
    zone_id             = data.aws_route53_zone.this.zone_id
    emails              = var.emails
    kubernetes_version  = var.kubernetes_version
    addon_versions      = var.addon_versions
    api_cidrs           = var.api_cidrs
    requests_a_minute   = var.requests_a_minute
    log_retention_days  = var.log_retention_days
    deletion_protection = var.deletion_protection
    # Beside whom is named, the workflow that rolls out: all of the shop's namespace, and what RBAC gives its group.
    access = merge(var.access, { deploy = {
      principal_arn = "arn:aws:iam::${data.aws_caller_identity.this.account_id}:role/souk-github-deploy-${var.environment}"
      policy        = "AmazonEKSClusterAdminPolicy"
      groups        = ["souk:deployers"]
      namespaces    = ["souk"]
    } })
  }
}

module "region" {
  source          = "../region"
  name            = local.name
  shared          = local.shared
  cidr            = var.cidr
  nat_per_zone    = var.nat_per_zone
  system_nodes    = var.system_nodes
  fargate_roles   = var.fargate_roles
  database        = var.database
  cache           = var.cache
  secret_versions = var.secret_versions

  bucket_replicas = local.second ? {
    objects_arn = module.second[0].buckets.objects.arn
    backups_arn = module.second[0].buckets.backups.arn
    key_arn     = module.second[0].key_arns["data"]
  } : null
  secret_replica = local.second ? {
    region  = data.aws_region.second.name
    key_arn = module.second[0].key_arns["data"]
  } : null
}

# The pilot light: all data follows here, the cluster stands on its system nodes, and no pod of the shop runs.
module "second" {
  count         = local.second ? 1 : 0
  source        = "../region"
  providers     = { aws = aws.second }
  name          = "${local.name}-${data.aws_region.second.name}"
  shared        = local.shared
  cidr          = var.second_region.cidr
  nat_per_zone  = var.second_region.nat_per_zone
  system_nodes  = var.second_region.system_nodes
  fargate_roles = var.fargate_roles
  cache         = var.second_region.cache
  # Large enough to take over at once.
  database   = merge(var.database, { multi_az = var.second_region.multi_az, proxy = false })
  replica_of = { arn = module.region.data.database_arn }
}

module "edge" {
  source               = "../edge"
  name                 = local.name
  domain               = var.domain
  zone_id              = data.aws_route53_zone.this.zone_id
  pictures_domain_name = module.region.buckets.objects.domain_name
  requests_a_minute    = var.requests_a_minute
  log_retention_days   = var.log_retention_days
  regions = merge(
    { primary = data.aws_region.this.name },
    local.second ? { secondary = data.aws_region.second.name } : {},
  )
  providers = { aws = aws, aws.global = aws.global }
}

module "backup" {
  source     = "../backup"
  name       = local.name
  resources  = [module.region.data.database_arn, module.region.data.objects.arn]
  key_arn    = module.region.key_arns["data"]
  copy       = local.second ? { key_arn = module.second[0].key_arns["data"] } : null
  daily_days = var.backup_days
  locked     = var.deletion_protection
  topic_arn  = module.region.topic_arn
  providers  = { aws = aws, aws.copy = aws.second }
}

module "budget" {
  source      = "../budget"
  name        = local.name
  environment = var.environment
  monthly_usd = var.monthly_usd
  emails      = var.emails
  topic_arn   = module.region.topic_arn
}

module "migration" {
  count                      = var.migration == null ? 0 : 1
  source                     = "../migration"
  name                       = local.name
  environment                = var.environment
  vpc_id                     = module.region.network.vpc_id
  vpc_cidr                   = var.cidr
  subnet_ids                 = module.region.network.private_subnet_ids
  database_security_group_id = module.region.data.database_security_group_id
  key_arn                    = module.region.key_arns["data"]
  instance_class             = var.migration.instance_class
  source_engine              = var.migration.engine
  source_cidr                = var.migration.cidr
  source_port                = var.migration.port
  source_database            = var.migration.database
  source_schema              = var.migration.schema
}
