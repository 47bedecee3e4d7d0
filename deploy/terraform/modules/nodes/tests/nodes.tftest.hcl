mock_provider "aws" { source = "../../mocks" }

variables {
  name           = "souk-test"
  cluster_name   = "souk-test"
  subnet_ids     = ["subnet-1", "subnet-2", "subnet-3"]
  instance_type  = "m7g.large"
  size           = 3
  fargate_roles  = []
  addon_versions = {}
}

run "system_nodes" {
  command = plan
  assert {
    condition = (aws_eks_node_group.system.ami_type == "BOTTLEROCKET_ARM_64"
    && one(aws_eks_node_group.system.taint).effect == "NO_SCHEDULE")
    error_message = "Expected Bottlerocket on Graviton, with a taint."
  }
  assert {
    condition = (aws_launch_template.system.metadata_options[0].http_tokens == "required"
    && aws_launch_template.system.metadata_options[0].http_put_response_hop_limit == 1)
    error_message = "Expected IMDSv2 with one hop: no pod reaches its node's role."
  }
  assert {
    condition = alltrue([for volume in aws_launch_template.system.block_device_mappings :
    volume.ebs[0].encrypted == "true" && volume.ebs[0].volume_type == "gp3"])
    error_message = "Expected encrypted gp3."
  }
}

run "addons" {
  command = plan
  assert {
    condition     = keys(aws_eks_addon.this) == ["aws-ebs-csi-driver", "coredns", "metrics-server"]
    error_message = "Expected CoreDNS, the EBS driver and metrics-server after the nodes."
  }
}

run "interruptions" {
  command = plan
  assert {
    condition     = length(aws_cloudwatch_event_rule.interruptions) == 4 && aws_sqs_queue.interruptions.sqs_managed_sse_enabled
    error_message = "Expected four kinds of news, in an encrypted queue."
  }
}

run "no_fargate_unless_asked_for" {
  command = plan
  assert {
    condition     = length(aws_eks_fargate_profile.souk) == 0 && length(aws_iam_role.fargate) == 0
    error_message = "Expected no profile, nor its role, without roles."
  }
}

run "fargate_by_role" {
  command = plan
  variables { fargate_roles = ["users", "auth"] }
  assert {
    condition = toset([for selector in aws_eks_fargate_profile.souk[0].selector :
    "${selector.namespace}/${selector.labels["app.kubernetes.io/component"]}"]) == toset(["souk/users", "souk/auth"])
    error_message = "Expected a selector for each role, by the chart's label."
  }
}

run "fargate_without_buckets" {
  command = plan
  variables { fargate_roles = ["products"] }
  expect_failures = [var.fargate_roles]
}

run "graviton_only" {
  command = plan
  variables { instance_type = "m7i.large" }
  expect_failures = [var.instance_type]
}

run "never_one_alone" {
  command = plan
  variables { size = 1 }
  expect_failures = [var.size]
}
