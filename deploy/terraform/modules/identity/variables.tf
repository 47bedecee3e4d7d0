variable "name" {
  description = "Prefix of the roles."
  type        = string
}

variable "environment" {
  description = "Environment, in the names of secrets and log groups."
  type        = string
}

variable "cluster_name" {
  description = "The cluster whose pods these are."
  type        = string
}

variable "cluster_arn" {
  description = "ARN of that cluster."
  type        = string
}

variable "node_security_group_id" {
  description = "Security group of the nodes, which load balancers are let into."
  type        = string
}

variable "vpc_id" {
  description = "The VPC."
  type        = string
}

variable "zone_id" {
  description = "Hosted zone of the shop's domain."
  type        = string
}

variable "key_arn" {
  description = "Key that encrypts secrets and objects."
  type        = string
}

variable "message_key_arn" {
  description = "Key that encrypts what the topics tell."
  type        = string
}

variable "buckets" {
  description = "ARNs of the buckets."
  type        = object({ objects = string, backups = string })
}
