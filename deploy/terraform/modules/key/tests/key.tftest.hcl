mock_provider "aws" { source = "../../mocks" }

variables {
  name        = "souk-test-data"
  description = "Data"
  services    = ["logs.eu-west-1.amazonaws.com", "sns.amazonaws.com"]
}

run "turned_over" {
  command = plan
  assert {
    condition     = aws_kms_key.this.enable_key_rotation && aws_kms_key.this.deletion_window_in_days == 30
    error_message = "Expected a key that is turned over, and not gone at once."
  }
}

run "services_say_for_whom" {
  command = plan
  assert {
    condition = alltrue([for statement in slice(data.aws_iam_policy_document.key.statement, 1, 3) :
    length(statement.condition) == 1])
    error_message = "Expected services to use the key on this account's behalf only."
  }
}
