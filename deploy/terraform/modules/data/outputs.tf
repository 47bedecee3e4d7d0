output "database_arn" {
  description = "ARN of the database."
  value       = aws_db_instance.this.arn
}

output "objects" {
  description = "Bucket of pictures: name, ARN, name in DNS."
  value       = { name = module.objects.name, arn = module.objects.arn, domain_name = module.objects.domain_name }
}

output "backups" {
  description = "Bucket of backups: name, ARN."
  value       = { name = module.backups.name, arn = module.backups.arn }
}

output "database_security_group_id" {
  description = "Security group of the database."
  value       = aws_security_group.database.id
}
