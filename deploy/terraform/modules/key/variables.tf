variable "name" {
  description = "Name of the key, without `alias/`."
  type        = string
}

variable "description" {
  description = "What it encrypts."
  type        = string
}

variable "services" {
  description = "Services that may use the key by themselves, such as `sns.amazonaws.com`."
  type        = list(string)
  default     = []
}
