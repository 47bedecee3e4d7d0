# The shop: every part in three zones, and a pilot light in a second region.

terraform {
  backend "s3" {
    key          = "souk/prod.tfstate"
    region       = "eu-west-1"
    encrypt      = true
    use_lockfile = true
  }
}

locals { environment = "prod" }

module "souk" {
  source      = "../../modules/souk"
  environment = local.environment
  domain      = var.domain
  emails      = var.emails
  access      = var.access
  api_cidrs   = var.api_cidrs
  migration   = var.migration

  cidr         = "10.30.0.0/16"
  nat_per_zone = true
  system_nodes = { instance_type = "m7g.large", size = 3 }
  database     = { instance_class = "db.r7g.xlarge", storage_gib = 100, backup_days = 35, multi_az = true, proxy = true }
  cache        = { node_type = "cache.m7g.large", nodes = 3 }

  second_region = {
    cidr         = "10.40.0.0/16"
    nat_per_zone = false
    multi_az     = false
    system_nodes = { instance_type = "m7g.large", size = 2 }
    cache        = { node_type = "cache.t4g.medium", nodes = 1 }
  }

  log_retention_days  = 365
  backup_days         = 35
  monthly_usd         = 6000
  deletion_protection = true

  providers = { aws = aws, aws.second = aws.second, aws.global = aws.global }
}
