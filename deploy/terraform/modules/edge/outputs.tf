output "distribution_id" {
  description = "The distribution, for the names of its metrics."
  value       = aws_cloudfront_distribution.this.id
}

output "health_check_ids" {
  description = "Health checks of the regions."
  value       = { for role, check in aws_route53_health_check.region : role => check.id }
}
