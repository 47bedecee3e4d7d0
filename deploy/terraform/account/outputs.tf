output "state_bucket" {
  description = "Bucket of the states, for `-backend-config=bucket=…`."
  value       = module.state.bucket
}

output "image" {
  description = "Where images are pushed to, without tag."
  value       = module.registry.url
}

output "github_role_arns" {
  description = "Roles for workflows."
  value       = module.github.role_arns
}

output "name_servers" {
  description = "Name servers of each environment's zone."
  value       = { for environment, zone in aws_route53_zone.this : environment => zone.name_servers }
}
