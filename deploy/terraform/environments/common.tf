# What is the same in each environment; the folders link to this file.

terraform {
  required_version = ">= 1.11"
  required_providers {
    aws = { source = "hashicorp/aws", version = "5.100.0" }
  }
}

provider "aws" {
  region = "eu-west-1"
  default_tags { tags = local.tags }
}

provider "aws" {
  alias  = "second"
  region = "eu-central-1"
  default_tags { tags = local.tags }
}

# What CloudFront uses lives there.
provider "aws" {
  alias  = "global"
  region = "us-east-1"
  default_tags { tags = local.tags }
}

locals {
  tags = {
    Project     = "souk"
    Environment = local.environment
    ManagedBy   = "terraform"
    CostCenter  = var.cost_center
    Owner       = var.owner
  }
}

variable "domain" {
  description = "The environment's domain, whose hosted zone `account` made."
  type        = string
}

variable "emails" {
  description = "Who is told of alarms and of costs."
  type        = set(string)
}

variable "owner" {
  description = "Tag Owner: the team that answers for it."
  type        = string
}

variable "cost_center" {
  description = "Tag CostCenter."
  type        = string
}

variable "access" {
  description = "Who may reach the cluster: ARN of an IAM role, and a policy of EKS or groups of the cluster's RBAC."
  type = map(object({
    principal_arn = string
    policy        = optional(string)
    groups        = optional(set(string), [])
    namespaces    = optional(set(string), [])
  }))
}

variable "api_cidrs" {
  description = "Networks from which administrators reach the API server, such as a VPN's."
  type        = list(string)
  default     = []
}

variable "migration" {
  description = "The old shop's database while it is brought over by DMS; null before and after."
  type = object({
    engine         = string
    cidr           = string
    port           = number
    database       = string
    schema         = string
    instance_class = optional(string)
  })
  default = null
}

output "souk" {
  description = "Everything that others need to know: clusters, ingress, buckets, roles."
  value       = module.souk
}
