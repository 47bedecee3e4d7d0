variable "name" {
  description = "Prefix of roles and queues."
  type        = string
}

variable "cluster_name" {
  description = "The cluster, when its network is ready for nodes."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets, in three zones."
  type        = list(string)
}

variable "instance_type" {
  description = "Of the system nodes: Graviton."
  type        = string
  validation {
    condition     = can(regex("^([cmr][678]g[dn]?|t4g)\\.", var.instance_type))
    error_message = "Expected an instance type of Graviton such as m7g.large: images and node group are arm64."
  }
}

variable "size" {
  description = "How many system nodes."
  type        = number
  validation {
    condition     = var.size >= 2
    error_message = "Expected 2 or more: one alone takes the cluster's DNS with it."
  }
}

variable "fargate_roles" {
  description = "Roles of the shop that run on Fargate: none of those that ask S3, for no pod there has an identity."
  type        = set(string)
  validation {
    condition     = length(setsubtract(var.fargate_roles, ["users", "auth", "orders", "payments", "notifications"])) == 0
    error_message = "Expected some of users, auth, orders, payments and notifications: the others keep pictures in S3."
  }
}

variable "addon_versions" {
  description = "Versions of add-ons that are not to be EKS's default for the cluster's version."
  type        = map(string)
}
