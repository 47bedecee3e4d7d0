mock_provider "aws" { source = "../../mocks" }

variables {
  name               = "souk-test"
  scope              = "REGIONAL"
  requests_a_minute  = 3000
  log_key_arn        = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
  log_retention_days = 30
}

run "rules" {
  command = plan
  assert {
    condition     = length(aws_wafv2_web_acl.this.rule) == 5
    error_message = "Expected a limit for each address and four groups of managed rules."
  }
  assert {
    condition = anytrue([for rule in aws_wafv2_web_acl.this.rule : try(
    rule.statement[0].rate_based_statement[0].limit == 3000, false)])
    error_message = "Expected the limit that was asked for."
  }
}
