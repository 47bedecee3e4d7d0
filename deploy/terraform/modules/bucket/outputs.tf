output "name" {
  description = "Name of the bucket."
  value       = aws_s3_bucket.this.id
}

output "arn" {
  description = "ARN of the bucket, when its versions are kept."
  value       = aws_s3_bucket.this.arn
  depends_on  = [aws_s3_bucket_versioning.this]
}

output "domain_name" {
  description = "Name of the bucket in DNS, in its region."
  value       = aws_s3_bucket.this.bucket_regional_domain_name
}
