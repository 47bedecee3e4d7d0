variable "name" {
  description = "Name of the VPC and prefix of what is in it; also the value of `karpenter.sh/discovery`."
  type        = string
}

variable "cidr" {
  description = "Addresses of the VPC: a /16, unlike those of other environments that it may be peered with."
  type        = string
  validation {
    condition     = can(cidrhost(var.cidr, 0)) && endswith(var.cidr, "/16")
    error_message = "Expected a /16 such as 10.10.0.0/16."
  }
}

variable "nat_per_zone" {
  description = "A NAT gateway in each zone, or one for all."
  type        = bool
}

variable "log_key_arn" {
  description = "Key that encrypts the flow logs."
  type        = string
}

variable "log_retention_days" {
  description = "Days that flow logs are kept."
  type        = number
}
