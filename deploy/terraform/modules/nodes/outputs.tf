output "role_name" {
  description = "Role of the nodes, for Karpenter's EC2NodeClass."
  value       = aws_iam_role.node.name
}

output "interruption_queue" {
  description = "Name of the queue that Karpenter listens to."
  value       = aws_sqs_queue.interruptions.name
}

output "autoscaling_group" {
  description = "The autoscaling group that EKS made for the system nodes."
  value       = aws_eks_node_group.system.resources[0].autoscaling_groups[0].name
}
