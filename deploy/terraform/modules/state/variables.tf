variable "force_destroy" {
  description = "Whether the bucket is deleted with the states in it."
  type        = bool
  default     = false
}
