variable "name" {
  description = "Name of the bucket, unique in the world."
  type        = string
}

variable "key_arn" {
  description = "Key that encrypts the objects."
  type        = string
}

variable "policies" {
  description = "Policies of the bucket, as JSON, besides the one that wants TLS."
  type        = list(string)
  default     = []
}

variable "replica" {
  description = "Bucket in another region to which objects are copied, its key, and how the role that copies is called."
  type        = object({ bucket_arn = string, key_arn = string, role_prefix = string })
  default     = null
}

variable "old_versions_days" {
  description = "Days that what was overwritten or deleted can be brought back."
  type        = number
  default     = 90
}

variable "expire_days" {
  description = "Days after which objects are deleted; null for never."
  type        = number
  default     = null
}

variable "locked_days" {
  description = "Days for which nobody may delete a version, by object lock; 0 for none. Fixed when the bucket is made."
  type        = number
  default     = 0
}

variable "force_destroy" {
  description = "Whether the bucket is deleted with what is in it."
  type        = bool
}
