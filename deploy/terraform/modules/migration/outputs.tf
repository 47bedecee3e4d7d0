output "task_arn" {
  description = "The task, to be started and watched."
  value       = aws_dms_replication_task.this.replication_task_arn
}
