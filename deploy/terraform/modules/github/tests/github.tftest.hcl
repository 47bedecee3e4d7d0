mock_provider "aws" { source = "../../mocks" }

variables {
  repository       = "souk-shop/souk"
  environments     = ["dev", "prod"]
  repository_arn   = "arn:aws:ecr:eu-west-1:111122223333:repository/souk"
  state_bucket_arn = "arn:aws:s3:::state"
  state_key_arn    = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
}

run "subjects" {
  command = plan
  assert {
    condition     = local.roles["apply-prod"].subjects == ["environment:prod"]
    error_message = "Expected prod to be changed by workflows of its environment alone, which asks for approval."
  }
  assert {
    condition     = alltrue([for role in local.roles : alltrue([for subject in role.subjects : subject != "*"])])
    error_message = "Expected no role for every workflow."
  }
}

run "deploy" {
  command = plan
  assert {
    condition = data.aws_iam_policy_document.trust["deploy-prod"].statement[0].condition == toset([
      { test = "StringEquals", variable = "token.actions.githubusercontent.com:aud", values = tolist(["sts.amazonaws.com"]) },
      {
        test   = "StringLike", variable = "token.actions.githubusercontent.com:sub"
        values = tolist(["repo:souk-shop/souk:environment:prod"])
      },
    ])
    error_message = "Expected prod to be deployed by workflows of its environment alone."
  }
  assert {
    condition = toset(flatten([for statement in data.aws_iam_policy_document.deploy["prod"].statement : statement.actions])) == toset([
      "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:DescribeImages", "ecr:GetAuthorizationToken",
      "ecr:GetDownloadUrlForLayer", "ecr:ListImageReferrers", "eks:DescribeCluster",
    ])
    error_message = "Expected it to find the cluster and to read the image, and no more."
  }
}

run "one_repository" {
  command = plan
  variables { repository = "souk/*" }
  expect_failures = [var.repository]
}
