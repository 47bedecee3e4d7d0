variable "name" {
  description = "Name of the database, of Redis, and prefix of the buckets."
  type        = string
}

variable "environment" {
  description = "Environment, in the names of the secrets."
  type        = string
}

variable "vpc_id" {
  description = "The VPC."
  type        = string
}

variable "subnet_ids" {
  description = "Data subnets, in three zones."
  type        = list(string)
}

variable "client_security_group_id" {
  description = "Security group of the cluster's nodes: whoever may reach database and Redis."
  type        = string
}

variable "key_arn" {
  description = "Key that encrypts the data."
  type        = string
}

variable "log_key_arn" {
  description = "Key that encrypts the logs."
  type        = string
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
}

variable "deletion_protection" {
  description = "Whether data survives a `terraform destroy`: protection, last snapshots, locked backups."
  type        = bool
}

variable "database" {
  description = <<-TEXT
    PostgreSQL: major version, instance class (Graviton), GiB to begin with and at the most, days of backups, whether
    there is a standby in another zone, and whether RDS Proxy stands before it.
  TEXT
  type = object({
    version         = optional(string, "17")
    instance_class  = string
    storage_gib     = optional(number, 20)
    max_storage_gib = optional(number, 200)
    backup_days     = number
    multi_az        = bool
    proxy           = bool
  })
  validation {
    condition     = can(regex("^db\\.([mr][678]gd?|t4g)\\.", var.database.instance_class))
    error_message = "Expected an instance class of Graviton such as db.r7g.large."
  }
  validation {
    condition     = var.database.backup_days >= 1 && var.database.backup_days <= 35
    error_message = "Expected 1 to 35 days of backups: without them there is no way back to a moment, and no replica."
  }
}

variable "cache" {
  description = <<-TEXT
    Redis: node type (Graviton), number of nodes (over zones, failing over by themselves), days of snapshots, and whether
    connections are encrypted. Souk's client speaks no TLS yet, so that the last is false until it does.
  TEXT
  type = object({
    node_type          = string
    nodes              = number
    snapshot_days      = optional(number, 1)
    transit_encryption = optional(bool, false)
  })
  validation {
    condition     = can(regex("^cache\\.([mr][67]g|t4g)\\.", var.cache.node_type))
    error_message = "Expected a node type of Graviton such as cache.m7g.large."
  }
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

variable "passwords" {
  description = "By secret, what was made up for this run: never in the state, and sent only where its number is raised."
  type        = map(string)
  ephemeral   = true
  sensitive   = true
}

variable "secret_versions" {
  description = "By secret, a number: raised, Terraform makes up another value. `database-url` is the password."
  type        = map(number)
  default     = {}
}
