mock_provider "aws" { source = "../../mocks" }

variables {
  name                   = "souk-test"
  environment            = "test"
  cluster_name           = "souk-test"
  cluster_arn            = "arn:aws:eks:eu-west-1:111122223333:cluster/souk-test"
  node_security_group_id = "sg-1"
  vpc_id                 = "vpc-1"
  zone_id                = "Z1"
  key_arn                = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
  message_key_arn        = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
  buckets                = { objects = "arn:aws:s3:::objects", backups = "arn:aws:s3:::backups" }
}

run "roles" {
  command = plan
  assert {
    condition = length(setsubtract(
      ["storefront", "users", "auth", "products", "orders", "payments", "notifications", "migrate", "audit", "backup"],
    keys(aws_iam_role.this))) == 0
    error_message = "Expected a role for each of the shop's roles and jobs."
  }
  assert {
    condition     = aws_eks_pod_identity_association.this["orders"].service_account == "souk-orders"
    error_message = "Expected the chart's service accounts."
  }
}

run "addons" {
  command = plan
  assert {
    condition = data.aws_iam_policy_document.alertmanager.statement[0].resources == toset([
      for topic in ["alarms", "tickets", "watchdog"] : "arn:aws:sns:eu-west-1:111122223333:souk-test-${topic}"
    ])
    error_message = "Expected Alertmanager to publish to the three topics alone."
  }
  assert {
    condition = data.aws_iam_policy_document.cloudwatch_exporter.statement[0].actions == toset([
      "cloudwatch:GetMetricData", "cloudwatch:ListMetrics", "tag:GetResources",
    ])
    error_message = "Expected the exporter to read metrics and nothing else."
  }
  assert {
    condition = (data.aws_iam_policy_document.kyverno.statement[1].resources
      == toset(["arn:aws:ecr:*:111122223333:repository/souk"])
    && !anytrue([for action in data.aws_iam_policy_document.kyverno.statement[1].actions : strcontains(action, "Put")]))
    error_message = "Expected Kyverno to read the shop's images, and to push nothing."
  }
  assert {
    condition = contains(data.aws_iam_policy_document.fluent_bit.statement[0].resources,
    "arn:aws:logs:eu-west-1:111122223333:log-group:/souk/test/platform:*")
    error_message = "Expected Fluent Bit to write what the platform says."
  }
}

run "least" {
  command = plan
  assert {
    condition = { for name, who in local.souk : name => who.objects if contains(keys(who), "objects") } == {
      backup = "read", demo = "write", products = "write", storefront = "read"
    }
    error_message = "Expected pictures to be written by products and the demo, and read by the storefront and backups."
  }
  assert {
    condition     = { for name, who in local.souk : name => who.backups if contains(keys(who), "backups") } == { backup = "add" }
    error_message = "Expected backups to be added by their job, and nobody else to reach them."
  }
  assert {
    condition = toset(flatten([for statement in data.aws_iam_policy_document.souk["backup"].statement : statement.actions
    if contains(statement.resources, "arn:aws:s3:::backups/*")])) == toset(["s3:GetObject", "s3:PutObject"])
    error_message = "Expected no backup to be deleted by the job that makes them."
  }
  assert {
    condition = anytrue([for statement in data.aws_iam_policy_document.souk["backup"].statement :
    contains(statement.actions, "s3:ListBucket") && contains(statement.resources, "arn:aws:s3:::backups")])
    error_message = "Expected the job to see which backups there are."
  }
  assert {
    condition     = [for name, who in local.souk : name if contains(who.secrets, "stripe-key")] == ["payments"]
    error_message = "Expected Stripe's key for payments alone."
  }
  assert {
    condition     = [for name, who in local.souk : name if contains(who.secrets, "signing-key")] == ["auth"]
    error_message = "Expected the key of the tokens for auth alone."
  }
}
