output "role_name" {
  description = "Role of the nodes, for Karpenter's EC2NodeClass."
  value       = aws_iam_role.node.name
}

output "interruption_queue" {
  description = "Name of the queue that Karpenter listens to."
  value       = aws_sqs_queue.interruptions.name
}
