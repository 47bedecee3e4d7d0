# What the chart's Ingress names: a certificate, a web ACL, and a security group that lets in the distribution and
# Route 53's health checks, and nobody else.

module "certificate" {
  source  = "../certificate"
  domain  = var.shared.domain
  zone_id = var.shared.zone_id
}

module "waf" {
  source             = "../waf"
  name               = var.name
  scope              = "REGIONAL"
  requests_a_minute  = var.shared.requests_a_minute
  forwarded          = true
  log_key_arn        = module.key["logs"].arn
  log_retention_days = var.shared.log_retention_days
}

data "aws_ec2_managed_prefix_list" "edge" {
  for_each = toset(["com.amazonaws.global.cloudfront.origin-facing", "com.amazonaws.${data.aws_region.this.name}.route53-healthchecks"])
  name     = each.key
}

resource "aws_security_group" "ingress" {
  name        = "${var.name}-ingress"
  description = "HTTPS from CloudFront and from health checks to the load balancer"
  vpc_id      = module.network.vpc_id
  tags        = { Name = "${var.name}-ingress" }
}

resource "aws_vpc_security_group_ingress_rule" "ingress" {
  for_each          = data.aws_ec2_managed_prefix_list.edge
  security_group_id = aws_security_group.ingress.id
  description       = "HTTPS from ${each.value.name}"
  prefix_list_id    = each.value.id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_ingress_rule" "pods" {
  security_group_id            = module.cluster.security_group_id
  description                  = "The shop's pods from the load balancer"
  referenced_security_group_id = aws_security_group.ingress.id
  ip_protocol                  = "tcp"
  from_port                    = 8080
  to_port                      = 8080
}

resource "aws_vpc_security_group_egress_rule" "ingress" {
  security_group_id            = aws_security_group.ingress.id
  description                  = "The shop's pods"
  referenced_security_group_id = module.cluster.security_group_id
  ip_protocol                  = "tcp"
  from_port                    = 8080
  to_port                      = 8080
}
