output "bucket" {
  description = "Name of the bucket, for the backends."
  value       = module.bucket.name
}

output "bucket_arn" {
  description = "ARN of the bucket."
  value       = module.bucket.arn
}

output "key_arn" {
  description = "Key that encrypts the state."
  value       = module.key.arn
}
