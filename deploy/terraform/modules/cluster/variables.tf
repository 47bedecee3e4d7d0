variable "name" {
  description = "Name of the cluster and prefix of its roles."
  type        = string
}

variable "kubernetes_version" {
  description = "Minor version of Kubernetes."
  type        = string
  validation {
    condition     = can(regex("^1\\.(3[5-9]|[4-9][0-9])$", var.kubernetes_version))
    error_message = "Expected 1.35 or later."
  }
}

variable "subnet_ids" {
  description = "Private subnets, in three zones."
  type        = list(string)
}

variable "secrets_key_arn" {
  description = "Key that encrypts the secrets in etcd."
  type        = string
}

variable "log_key_arn" {
  description = "Key that encrypts the control plane's logs."
  type        = string
}

variable "log_retention_days" {
  description = "Days that the control plane's logs are kept."
  type        = number
}

variable "api_cidrs" {
  description = "Networks besides the nodes from which the API server may be reached, such as a VPN's."
  type        = list(string)
  default     = []
  validation {
    condition     = alltrue([for cidr in var.api_cidrs : can(cidrhost(cidr, 0)) && !endswith(cidr, "/0")])
    error_message = "Expected private networks such as 10.0.0.0/16, never everybody."
  }
}

variable "access" {
  description = <<-TEXT
    Who may reach the cluster: the ARN of an IAM role, and what it may do there, by a policy of EKS
    (`AmazonEKSClusterAdminPolicy`), in some namespaces only where they are named, or by groups that the cluster's own
    RBAC knows (`souk:operators`).
  TEXT
  type = map(object({
    principal_arn = string
    policy        = optional(string)
    groups        = optional(set(string), [])
    namespaces    = optional(set(string), [])
  }))
  validation {
    condition     = alltrue([for who in values(var.access) : who.policy != null || length(who.groups) > 0])
    error_message = "Expected a policy or groups for everybody: without, one gets in and may do nothing."
  }
  validation {
    condition = length(setsubtract(flatten([for who in values(var.access) : who.groups]), [
      "souk:admins", "souk:operators", "souk:developers", "souk:readers", "souk:deployers",
    ])) == 0
    error_message = "Expected groups that deploy/cluster/base/rbac.yaml gives something."
  }
}

variable "addon_versions" {
  description = "Versions of add-ons that are not to be EKS's default for the cluster's version."
  type        = map(string)
}
