variable "name" {
  description = "Name of the web ACL."
  type        = string
}

variable "scope" {
  description = "`CLOUDFRONT`, in us-east-1, or `REGIONAL`, for load balancers."
  type        = string
}

variable "requests_a_minute" {
  description = "Requests a minute from one address, from which on it is answered 429."
  type        = number
}

variable "forwarded" {
  description = "Whether a distribution stands before it, and the address is the one in X-Forwarded-For."
  type        = bool
  default     = false
}

variable "log_key_arn" {
  description = "Key that encrypts the logs, in the same region."
  type        = string
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
}
