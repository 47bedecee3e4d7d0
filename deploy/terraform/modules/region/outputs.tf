output "network" {
  description = "VPC, subnets of nodes, addresses of NAT."
  value = {
    vpc_id             = module.network.vpc_id
    private_subnet_ids = module.network.private_subnet_ids
    nat_addresses      = module.network.nat_addresses
  }
}

output "cluster" {
  description = "Name, endpoint and security group of the cluster; role of nodes and queue for Karpenter."
  value = {
    name               = module.cluster.name
    endpoint           = module.cluster.endpoint
    security_group_id  = module.cluster.security_group_id
    node_role          = module.nodes.role_name
    interruption_queue = module.nodes.interruption_queue
  }
}

output "ingress" {
  description = "What the chart's Ingress names: certificate, web ACL, security group."
  value = {
    certificate_arn   = module.certificate.arn
    web_acl_arn       = module.waf.arn
    security_group_id = aws_security_group.ingress.id
  }
}

output "data" {
  description = "Database, its security group, and buckets."
  value = {
    database_arn               = module.data.database_arn
    database_security_group_id = module.data.database_security_group_id
    objects                    = module.data.objects
    backups                    = module.data.backups
  }
}

# Apart from the above, so that what needs a bucket does not wait for the database.
output "buckets" {
  description = "Buckets of objects and backups: name, ARN, of objects the name in DNS too."
  value       = { objects = module.data.objects, backups = module.data.backups }
}

output "key_arns" {
  description = "Keys, by what they encrypt: cluster, data, logs, messages."
  value       = { for name, key in module.key : name => key.arn }
}

output "role_arns" {
  description = "Roles of pods."
  value       = module.identity.role_arns
}

output "topic_arn" {
  description = "Topic of all alarms."
  value       = module.observability.topic_arn
}
