variable "name" {
  description = "Name of the repository."
  type        = string
}

variable "key_arn" {
  description = "Key that encrypts the images."
  type        = string
}

variable "builds_kept" {
  description = "How many builds that were not released are kept."
  type        = number
  default     = 200
}

variable "replica_region" {
  description = "Region to which images are copied; null for none."
  type        = string
  default     = null
}
