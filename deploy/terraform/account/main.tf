# Once for an account, before its environments: where the state is kept, the registry, the domain's hosted zones, the
# trust in GitHub, and what AWS is to do by default.
#
#   terraform init -backend=false && terraform apply     the first time, with the state beside this file
#   terraform init -migrate-state …                      then into the bucket that it made: see the README

terraform {
  required_version = ">= 1.11"
  required_providers {
    aws = { source = "hashicorp/aws", version = "5.100.0" }
  }
  backend "s3" {
    key          = "souk/account.tfstate"
    region       = "eu-west-1"
    encrypt      = true
    use_lockfile = true
  }
}

provider "aws" {
  region = "eu-west-1"
  default_tags { tags = local.tags }
}

locals {
  tags = {
    Project     = "souk"
    Environment = "account"
    ManagedBy   = "terraform"
    CostCenter  = var.cost_center
    Owner       = var.owner
  }
}

module "state" {
  source        = "../modules/state"
  force_destroy = var.force_destroy
}

module "image_key" {
  source      = "../modules/key"
  name        = "souk-images"
  description = "Images of Souk"
}

module "registry" {
  source         = "../modules/registry"
  name           = "souk"
  key_arn        = module.image_key.arn
  replica_region = "eu-central-1"
}

module "github" {
  source           = "../modules/github"
  repository       = var.repository
  environments     = toset(keys(var.domains))
  repository_arn   = module.registry.arn
  state_bucket_arn = module.state.bucket_arn
  state_key_arn    = module.state.key_arn
}

# To be named as the authority at the domain's registrar, or in the zone above: certificates wait for that.
resource "aws_route53_zone" "this" {
  for_each = var.domains
  name     = each.value
  comment  = "Souk, ${each.key}"
}

# No volume of this account is ever unencrypted, whoever makes it.
resource "aws_ebs_encryption_by_default" "this" {
  enabled = true
}

# The tags by which costs are told apart. AWS knows a tag a day after it was used first: apply then.
resource "aws_ce_cost_allocation_tag" "this" {
  for_each = var.cost_tags_active ? toset(["Project", "Environment", "CostCenter", "Owner"]) : toset([])
  tag_key  = each.key
  status   = "Active"
}
