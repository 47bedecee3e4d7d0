mock_provider "aws" { source = "../../mocks" }

variables {
  name               = "souk-test"
  kubernetes_version = "1.35"
  subnet_ids         = ["subnet-1", "subnet-2", "subnet-3"]
  secrets_key_arn    = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
  log_key_arn        = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
  log_retention_days = 30
  addon_versions     = { kube-proxy = "v1.35.0-eksbuild.1" }
  access = {
    admin    = { principal_arn = "arn:aws:iam::111122223333:role/admin", policy = "AmazonEKSClusterAdminPolicy" }
    operator = { principal_arn = "arn:aws:iam::111122223333:role/operator", groups = ["souk:operators"] }
  }
}

run "private_and_logged" {
  command = plan
  assert {
    condition = (aws_eks_cluster.this.vpc_config[0].endpoint_private_access
    && !aws_eks_cluster.this.vpc_config[0].endpoint_public_access)
    error_message = "Expected an API server that is reached from inside the VPC only."
  }
  assert {
    condition     = length(aws_eks_cluster.this.enabled_cluster_log_types) == 5
    error_message = "Expected all five logs of the control plane."
  }
  assert {
    condition     = aws_eks_cluster.this.encryption_config[0].resources == toset(["secrets"])
    error_message = "Expected secrets to be encrypted with a key of ours."
  }
  assert {
    condition     = aws_eks_cluster.this.access_config[0].authentication_mode == "API"
    error_message = "Expected access entries, and no config map."
  }
}

run "network" {
  command = plan
  assert {
    condition = (jsondecode(aws_eks_addon.vpc_cni.configuration_values).enableNetworkPolicy == "true"
    && jsondecode(aws_eks_addon.vpc_cni.configuration_values).env.ENABLE_PREFIX_DELEGATION == "true")
    error_message = "Expected network policies, and prefixes for pods."
  }
  assert {
    condition     = aws_eks_addon.kube_proxy.addon_version == "v1.35.0-eksbuild.1"
    error_message = "Expected the version that was asked for."
  }
}

run "access" {
  command = plan
  assert {
    condition     = keys(aws_eks_access_policy_association.this) == ["admin"] && length(aws_eks_access_entry.this) == 2
    error_message = "Expected a policy for those who are given one, groups for the others."
  }
}

run "known_groups" {
  command = plan
  variables {
    access = { admin = { principal_arn = "arn:aws:iam::111122223333:role/admin", groups = ["system:masters"] } }
  }
  expect_failures = [var.access]
}

run "not_older" {
  command = plan
  variables { kubernetes_version = "1.34" }
  expect_failures = [var.kubernetes_version]
}

run "never_everybody" {
  command = plan
  variables { api_cidrs = ["0.0.0.0/0"] }
  expect_failures = [var.api_cidrs]
}
