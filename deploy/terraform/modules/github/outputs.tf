output "role_arns" {
  description = "Roles for workflows: `plan`, `push`, and `apply-` and `deploy-` with each environment."
  value       = { for name, role in aws_iam_role.this : name => role.arn }
}
