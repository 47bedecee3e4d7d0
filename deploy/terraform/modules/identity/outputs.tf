output "role_arns" {
  description = "ARN of each role, by the name of who has it."
  value       = { for name, role in aws_iam_role.this : name => role.arn }
}
