variable "name" {
  description = "Name of everything: `souk-prod`, and in a second region that with the region behind it."
  type        = string
}

variable "shared" {
  description = "What is the same in each region of an environment; see the variables of these names of module `souk`."
  type = object({
    environment         = string
    domain              = string
    zone_id             = string
    emails              = set(string)
    kubernetes_version  = string
    addon_versions      = map(string)
    api_cidrs           = list(string)
    requests_a_minute   = number
    log_retention_days  = number
    deletion_protection = bool
    access = map(object({
      principal_arn = string
      policy        = optional(string)
      groups        = optional(set(string), [])
      namespaces    = optional(set(string), [])
    }))
  })
}

variable "cidr" {
  description = "Addresses of the VPC, a /16."
  type        = string
}

variable "nat_per_zone" {
  description = "A NAT gateway in each zone, or one for all."
  type        = bool
}

variable "system_nodes" {
  description = "Nodes that the cluster itself stands on."
  type        = object({ instance_type = string, size = number })
}

variable "fargate_roles" {
  description = "Roles of the shop that run on Fargate: none of those that ask S3, for no pod there has an identity."
  type        = set(string)
}

variable "database" {
  description = "PostgreSQL, as module `data` has it."
  type = object({
    instance_class = string
    storage_gib    = optional(number)
    backup_days    = number
    multi_az       = bool
    proxy          = bool
  })
}

variable "cache" {
  description = "Redis, as module `data` has it."
  type = object({
    node_type          = string
    nodes              = number
    transit_encryption = optional(bool)
  })
}

variable "replica_of" {
  description = "The database in another region that this one follows; null for a primary."
  # An object, because whether there is one has to be known before its ARN is.
  type    = object({ arn = string })
  default = null
}

variable "bucket_replicas" {
  description = "Buckets in another region to which objects and backups are copied, and their key."
  type        = object({ objects_arn = string, backups_arn = string, key_arn = string })
  default     = null
}

variable "secret_replica" {
  description = "Another region to which secrets are copied, and the key there."
  type        = object({ region = string, key_arn = string })
  default     = null
}

variable "secret_versions" {
  description = "By secret, a number: raised, Terraform makes up another value."
  type        = map(number)
  default     = {}
}
