output "region" {
  description = "The first region: network, cluster, ingress, data, roles."
  value       = module.region
}

output "second" {
  description = "The same of the second region, or null."
  value       = one(module.second)
}

output "distribution_id" {
  description = "The CloudFront distribution."
  value       = module.edge.distribution_id
}

output "migration_task_arn" {
  description = "The DMS task, while there is one."
  value       = one(module.migration[*].task_arn)
}
