# For rehearsals: what production has, smaller, in one region.

terraform {
  backend "s3" {
    key          = "souk/staging.tfstate"
    region       = "eu-west-1"
    encrypt      = true
    use_lockfile = true
  }
}

locals { environment = "staging" }

module "souk" {
  source      = "../../modules/souk"
  environment = local.environment
  domain      = var.domain
  emails      = var.emails
  access      = var.access
  api_cidrs   = var.api_cidrs
  migration   = var.migration

  cidr         = "10.20.0.0/16"
  nat_per_zone = false
  system_nodes = { instance_type = "t4g.large", size = 2 }
  database     = { instance_class = "db.m7g.large", backup_days = 14, multi_az = true, proxy = true }
  cache        = { node_type = "cache.t4g.medium", nodes = 2 }

  log_retention_days  = 90
  backup_days         = 14
  monthly_usd         = 1500
  deletion_protection = false

  providers = { aws = aws, aws.second = aws.second, aws.global = aws.global }
}
