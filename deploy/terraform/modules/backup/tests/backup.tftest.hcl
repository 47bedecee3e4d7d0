mock_provider "aws" {
  source = "../../mocks"
}
mock_provider "aws" {
  alias  = "copy"
  source = "../../mocks"
}

variables {
  name       = "souk-test"
  resources  = ["arn:aws:rds:eu-west-1:111122223333:db:souk-test"]
  key_arn    = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
  copy       = { key_arn = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000" }
  daily_days = 35
  locked     = true
  topic_arn  = "arn:aws:sns:eu-west-1:111122223333:alarms"
}

run "copied_and_locked" {
  command = plan
  assert {
    condition     = alltrue([for rule in aws_backup_plan.this.rule : length(rule.copy_action) == 1])
    error_message = "Expected a copy of each backup in the other region."
  }
  assert {
    condition     = length(aws_backup_vault_lock_configuration.this) == 1 && length(aws_backup_vault_lock_configuration.copy) == 1
    error_message = "Expected backups that nobody can delete before their time."
  }
}
