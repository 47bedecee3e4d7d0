output "name" {
  description = "Name of the cluster. Known when nodes can become ready."
  value       = aws_eks_cluster.this.name
  depends_on  = [aws_eks_addon.vpc_cni, aws_eks_addon.kube_proxy, aws_eks_addon.pod_identity_agent]
}

output "arn" {
  description = "ARN of the cluster."
  value       = aws_eks_cluster.this.arn
}

output "endpoint" {
  description = "Address of the API server, inside the VPC."
  value       = aws_eks_cluster.this.endpoint
}

output "security_group_id" {
  description = "Security group of the control plane and of all nodes."
  value       = aws_eks_cluster.this.vpc_config[0].cluster_security_group_id
}
