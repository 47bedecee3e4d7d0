variable "name" {
  description = "Name of the environment's resources: `souk-prod`."
  type        = string
}

variable "domain" {
  description = "The shop's domain, which has a hosted zone of its own."
  type        = string
}

variable "zone_id" {
  description = "That hosted zone."
  type        = string
}

variable "regions" {
  description = "Regions that serve the shop: `primary`, and `secondary` where there is one."
  type        = map(string)
  validation {
    condition     = contains(keys(var.regions), "primary") && length(setsubtract(keys(var.regions), ["primary", "secondary"])) == 0
    error_message = "Expected primary and, where there is one, secondary."
  }
}

variable "pictures_domain_name" {
  description = "Name of the bucket of pictures in DNS."
  type        = string
}

variable "requests_a_minute" {
  description = "Requests a minute from one address, from which on it is answered 429."
  type        = number
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
}
