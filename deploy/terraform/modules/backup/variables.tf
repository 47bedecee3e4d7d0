variable "name" {
  description = "Name of vaults and plan."
  type        = string
}

variable "resources" {
  description = "ARNs of what is backed up."
  type        = list(string)
}

variable "key_arn" {
  description = "Key that encrypts the backups."
  type        = string
}

variable "copy" {
  description = "Key of the copies in the other region; null for no copies."
  type        = object({ key_arn = string })
  default     = null
}

variable "daily_days" {
  description = "Days that daily backups are kept."
  type        = number
  validation {
    condition     = var.daily_days >= 7
    error_message = "Expected 7 days or more, as the vault's lock does."
  }
}

variable "locked" {
  description = "Whether backups cannot be deleted before their time."
  type        = bool
}

variable "topic_arn" {
  description = "Topic that is told of what failed."
  type        = string
}
