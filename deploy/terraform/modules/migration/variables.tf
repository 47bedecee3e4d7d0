variable "name" {
  description = "Name of the replication's parts."
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

variable "vpc_cidr" {
  description = "Its addresses."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets, from which the old database is reached."
  type        = list(string)
}

variable "database_security_group_id" {
  description = "Security group of the new database."
  type        = string
}

variable "key_arn" {
  description = "Key that encrypts the rows on their way, and the secrets."
  type        = string
}

variable "instance_class" {
  description = "Of the replication instance."
  type        = string
}

variable "source_engine" {
  description = "What the old database is: `mysql`, `postgres`, `sqlserver`, …"
  type        = string
}

variable "source_cidr" {
  description = "Addresses of the old database."
  type        = string
}

variable "source_port" {
  description = "Its port."
  type        = number
}

variable "source_database" {
  description = "Its name."
  type        = string
}

variable "source_schema" {
  description = "The schema whose tables are brought over."
  type        = string
}
