variable "domains" {
  description = "Domain of each environment: `{ dev = \"dev.souk.example\", prod = \"souk.example\" }`."
  type        = map(string)
}

variable "repository" {
  description = "Repository on GitHub whose workflows may deploy: `owner/name`."
  type        = string
  default     = "souk-shop/souk"
}

variable "owner" {
  description = "Tag Owner: the team that answers for it."
  type        = string
}

variable "cost_center" {
  description = "Tag CostCenter."
  type        = string
}

variable "cost_tags_active" {
  description = "Whether costs are told apart by the tags: true from the day after the first environment was made."
  type        = bool
  default     = false
}

variable "force_destroy" {
  description = "Whether the states are deleted with their bucket. For trials only."
  type        = bool
  default     = false
}
