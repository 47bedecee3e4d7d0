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

run "least" {
  command = plan
  assert {
    condition     = [for name, who in local.souk : name if contains(keys(who), "objects")] == ["demo", "products", "storefront"]
    error_message = "Expected pictures for the storefront, products and the demo alone."
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
