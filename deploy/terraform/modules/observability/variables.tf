variable "name" {
  description = "Prefix of alarms, name of dashboard and group."
  type        = string
}

variable "environment" {
  description = "Environment, in the names of log groups and in the traces."
  type        = string
}

variable "cluster_name" {
  description = "The cluster."
  type        = string
}

variable "system_nodes" {
  description = "The autoscaling group that EKS made for the system nodes."
  type        = string
}

variable "database" {
  description = "Identifier of the database."
  type        = string
}

variable "is_replica" {
  description = "Whether that database follows another."
  type        = bool
}

variable "cache" {
  description = "Identifier of Redis."
  type        = string
}

variable "cache_nodes" {
  description = "How many nodes Redis has."
  type        = number
}

variable "emails" {
  description = "Who is told."
  type        = set(string)
}

variable "key_arn" {
  description = "Key that encrypts what is told."
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
