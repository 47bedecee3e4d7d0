variable "name" {
  description = "Name of the budget."
  type        = string
}

variable "environment" {
  description = "Value of the tag Environment."
  type        = string
}

variable "monthly_usd" {
  description = "US dollars a month."
  type        = number
}

variable "emails" {
  description = "Who is told."
  type        = set(string)
}

variable "topic_arn" {
  description = "Topic that is told."
  type        = string
}
