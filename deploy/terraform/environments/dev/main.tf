# For development: one of each, and nothing that may not be lost.

terraform {
  backend "s3" {
    key          = "souk/dev.tfstate"
    region       = "eu-west-1"
    encrypt      = true
    use_lockfile = true
  }
}

locals { environment = "dev" }

module "souk" {
  source      = "../../modules/souk"
  environment = local.environment
  domain      = var.domain
  emails      = var.emails
  access      = var.access
  api_cidrs   = var.api_cidrs
  migration   = var.migration

  cidr         = "10.10.0.0/16"
  nat_per_zone = false
  system_nodes = { instance_type = "t4g.medium", size = 2 }
  database     = { instance_class = "db.t4g.medium", backup_days = 7, multi_az = false, proxy = false }
  cache        = { node_type = "cache.t4g.small", nodes = 1 }

  log_retention_days  = 30
  backup_days         = 7
  monthly_usd         = 500
  deletion_protection = false

  providers = { aws = aws, aws.second = aws.second, aws.global = aws.global }
}
