output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.this.id
}

output "private_subnet_ids" {
  description = "Subnets of nodes and pods, one a zone."
  value       = [for subnet in aws_subnet.private : subnet.id]
}

output "public_subnet_ids" {
  description = "Subnets of load balancers, one a zone."
  value       = [for subnet in aws_subnet.public : subnet.id]
}

output "data_subnet_ids" {
  description = "Subnets of databases and caches, one a zone."
  value       = [for subnet in aws_subnet.data : subnet.id]
}

output "nat_addresses" {
  description = "Addresses from which the cluster reaches the internet: payment providers may ask for them."
  value       = [for address in aws_eip.nat : address.public_ip]
}
