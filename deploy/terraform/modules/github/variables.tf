variable "repository" {
  description = "Repository whose workflows may come: `owner/name`."
  type        = string
  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$", var.repository))
    error_message = "Expected owner/name, without a wildcard."
  }
}

variable "environments" {
  description = "Environments that workflows of the same name may change."
  type        = set(string)
}

variable "repository_arn" {
  description = "ARN of the registry's repository."
  type        = string
}

variable "state_bucket_arn" {
  description = "ARN of the bucket with Terraform's state."
  type        = string
}

variable "state_key_arn" {
  description = "Key that encrypts the state."
  type        = string
}
