mock_provider "aws" { source = "../../mocks" }

variables {
  name               = "souk-test"
  cidr               = "10.0.0.0/16"
  nat_per_zone       = true
  log_key_arn        = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
  log_retention_days = 30
}

run "three_zones" {
  command = plan
  assert {
    condition     = alltrue([for subnets in [aws_subnet.public, aws_subnet.private, aws_subnet.data] : length(subnets) == 3])
    error_message = "Expected a public, a private and a data subnet in each of three zones."
  }
  assert {
    condition     = length(aws_nat_gateway.this) == 3
    error_message = "Expected a NAT gateway in each zone."
  }
  assert {
    condition     = aws_flow_log.this.traffic_type == "ALL"
    error_message = "Expected all traffic in the flow logs."
  }
  assert {
    condition     = alltrue([for subnet in aws_subnet.public : subnet.map_public_ip_on_launch != true])
    error_message = "Expected no address of the internet that nobody asked for."
  }
}

run "one_way_out" {
  command = plan
  variables { nat_per_zone = false }
  assert {
    condition     = length(aws_nat_gateway.this) == 1 && length(aws_route.private) == 3
    error_message = "Expected one NAT gateway that all private subnets use."
  }
}

run "services_are_reached_inside" {
  command = plan
  assert {
    condition = length(setsubtract(
    ["ecr.api", "ecr.dkr", "logs", "sts"], [for name, _ in aws_vpc_endpoint.interface : name])) == 0
    error_message = "Expected endpoints for ECR, logs and STS."
  }
  assert {
    condition     = aws_vpc_endpoint.s3.vpc_endpoint_type == "Gateway"
    error_message = "Expected a gateway to S3."
  }
}

run "addresses_are_a_16" {
  command = plan
  variables { cidr = "10.0.0.0/20" }
  expect_failures = [var.cidr]
}
