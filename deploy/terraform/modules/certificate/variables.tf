variable "domain" {
  description = "The domain."
  type        = string
}

variable "zone_id" {
  description = "Its hosted zone."
  type        = string
}
