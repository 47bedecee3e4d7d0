mock_provider "aws" { source = "../../mocks" }

variables {
  repository       = "souk/souk"
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

run "one_repository" {
  command = plan
  variables { repository = "souk/*" }
  expect_failures = [var.repository]
}
