variable "environment" {
  description = "Environment: `dev`, `staging` or `prod`."
  type        = string
}

variable "domain" {
  description = "The shop's domain, which has a hosted zone of its own in this account."
  type        = string
}

variable "emails" {
  description = "Who is told of alarms and of costs."
  type        = set(string)
}

variable "cidr" {
  description = "Addresses of the VPC: a /16 of its own."
  type        = string
}

variable "nat_per_zone" {
  description = "A NAT gateway in each of the three zones, or one for all."
  type        = bool
}

variable "kubernetes_version" {
  description = "Minor version of Kubernetes, 1.35 or later."
  type        = string
  default     = "1.35"
}

variable "access" {
  description = <<-TEXT
    Who may reach the cluster: ARN of an IAM role, and a policy of EKS (`AmazonEKSClusterAdminPolicy`) or groups that the
    cluster's RBAC knows (`souk:operators`).
  TEXT
  type = map(object({
    principal_arn = string
    policy        = optional(string)
    groups        = optional(set(string), [])
    namespaces    = optional(set(string), [])
  }))
}

variable "api_cidrs" {
  description = "Networks besides the nodes from which the API server may be reached, such as a VPN's."
  type        = list(string)
  default     = []
}

variable "addon_versions" {
  description = "Versions of EKS add-ons that are not to be the default ones for the cluster's version."
  type        = map(string)
  default     = {}
}

variable "system_nodes" {
  description = "Nodes that the cluster itself stands on: instance type of Graviton, and how many."
  type        = object({ instance_type = string, size = number })
}

variable "fargate_roles" {
  description = "Roles of the shop that run on Fargate: none of those that ask S3, for no pod there has an identity."
  type        = set(string)
  default     = []
}

variable "database" {
  description = <<-TEXT
    PostgreSQL: instance class of Graviton, GiB to begin with, days of backups, whether a standby waits in another zone,
    whether RDS Proxy stands before it.
  TEXT
  type = object({
    instance_class = string
    storage_gib    = optional(number, 20)
    backup_days    = number
    multi_az       = bool
    proxy          = bool
  })
}

variable "cache" {
  description = <<-TEXT
    Redis: node type of Graviton, number of nodes, and whether connections are encrypted, which Souk's client cannot do
    yet.
  TEXT
  type = object({
    node_type          = string
    nodes              = number
    transit_encryption = optional(bool, false)
  })
}

variable "second_region" {
  description = "The pilot light in the second region: its addresses, nodes and Redis; null for none."
  type = object({
    cidr         = string
    nat_per_zone = bool
    multi_az     = bool
    system_nodes = object({ instance_type = string, size = number })
    cache        = object({ node_type = string, nodes = number, transit_encryption = optional(bool, false) })
  })
  default = null
}

variable "migration" {
  description = "The old shop's database while it is brought over by DMS; null before and after."
  type = object({
    engine         = string
    cidr           = string
    port           = number
    database       = string
    schema         = string
    instance_class = optional(string, "dms.r6i.large")
  })
  default = null
}

variable "secret_versions" {
  description = "By secret, a number: raised, Terraform makes up another value. `database-url` is the password."
  type        = map(number)
  default     = {}
}

variable "requests_a_minute" {
  description = "Requests a minute from one address, from which on it is answered 429."
  type        = number
  default     = 3000
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
}

variable "backup_days" {
  description = "Days that daily backups are kept; monthly ones a year."
  type        = number
}

variable "monthly_usd" {
  description = "US dollars that the environment may cost a month."
  type        = number
}

variable "deletion_protection" {
  description = "Whether data survives a `terraform destroy`: protection, last snapshots, locked backups."
  type        = bool
}
